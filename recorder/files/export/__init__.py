"""A recording, or a part of it, in the formats of other programs; one module for each of them."""
