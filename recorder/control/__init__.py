"""What every frontend calls: a line becomes a command, acts on the session, and goes into the journal."""
