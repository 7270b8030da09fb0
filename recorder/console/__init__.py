"""Talk to a session: one typed function a command, the same from console, script, replay and remote."""
