"""Blocks of frames and their metadata, from the camera thread to whoever wants them; the ledger of losses."""
