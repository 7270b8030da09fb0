"""The command line: a module for each sub-command, errors as one line and an exit code.

Everything here runs on the main thread and blocks until it is done. The docstring of a sub-command is its
help; a sub-command returns the exit code and raises RecorderError, which `main` prints.
"""
