"""The preview page for browsers: its server, and what the browser gets."""
