"""Recordings after the fact: files, growing or finished, are read here, and mended after a kill."""
