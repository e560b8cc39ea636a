"""Torture: processes are killed, frozen and cut off under load, and a verdict says whether anything was lost or doubled."""
