"""What is computed of the latest frame: picture, levels, snapshot, analysis; it never brakes recording."""
