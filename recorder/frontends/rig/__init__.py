"""Several cameras, each recorded by a process of its own, and one console over all."""
