"""Cameras behind one protocol, and the one thread that owns them: frames go out through a broadcaster."""
