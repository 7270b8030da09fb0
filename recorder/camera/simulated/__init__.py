"""A camera made of numbers: its sensor, its FIFO and clock, the scene it sees."""
