"""A finished recording, packed: read, packed and written chunk by chunk, read back, and only then named."""
