"""Disks that fail at any call, and power cuts at any moment: sessions of the real program over a shim in C."""
