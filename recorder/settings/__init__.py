"""The configuration: TOML comes in, frozen and validated settings go to everyone."""
