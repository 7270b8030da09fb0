"""Blocks of frames on their way from the camera thread to whoever wants them."""
