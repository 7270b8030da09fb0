"""One file being written: frames and rows come from the session, on the storage thread; everything blocks."""
