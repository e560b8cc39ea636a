"""What needs a human, and how it finds one. Pure but for ``alerts.channels``: no clock, socket, file handle or query."""
