"""The command line: a module for each sub-command, errors as one line and an exit code."""
