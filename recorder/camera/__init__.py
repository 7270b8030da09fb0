"""Cameras behind one protocol, and the camera thread, which reads their frames and publishes them."""
