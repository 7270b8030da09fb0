"""What every frontend calls: a line becomes a command, acts on the session, and goes into the journal.

Everything here is called on the event loop's thread. A coroutine may wait; a plain function returns at once,
but for `read_script` and `read_journal`, which read a file before the session begins.
"""
