"""The broker as others set it up: tried at start, whether it loses messages, and a configuration with which it does not."""
