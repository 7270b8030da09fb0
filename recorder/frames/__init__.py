"""Blocks of frames and their metadata, how they leave the camera thread, and the ledger of losses."""
