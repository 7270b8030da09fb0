"""The window on this computer: `process` runs and feeds it, `app` is the program of that process."""
