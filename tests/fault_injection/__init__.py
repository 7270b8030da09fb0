"""Disks that fail at any call, and power cuts at any moment: the real program over a shim in C."""
