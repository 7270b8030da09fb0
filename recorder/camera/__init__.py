"""Cameras, all behind one protocol, and the one thread that owns them."""
