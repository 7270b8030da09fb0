"""What is computed from the latest frame: picture, snapshot, analysis. It never delays a recording."""
