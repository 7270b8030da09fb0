"""The window on this computer: the process that feeds it, and the program in it."""
