"""Backup and restore: around PostgreSQL's own programs, with what has to be known of TimescaleDB and of our own data."""
