"""Simulated homes, seen from the outside: real MQTT, and nothing of the gateway but the devices' own language."""
