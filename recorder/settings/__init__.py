"""The configuration: TOML becomes frozen, validated settings. Plain functions and values, for any thread."""
