"""What a device is and what its bytes mean. Pure: no clock, socket, file handle or query."""
