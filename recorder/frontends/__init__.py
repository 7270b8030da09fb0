"""The frontends of a session: console, headless, remote control server, preview page.

Where nothing else is said, everything is called on the event loop's thread: a coroutine may wait, a plain
function returns at once.
"""
