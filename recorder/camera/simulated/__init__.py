"""A simulated camera: its FIFO and clock, and the pictures it delivers."""
