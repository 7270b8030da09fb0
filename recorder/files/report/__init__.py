"""`recorder report`: one page about a recording. `writing` makes it of what `found` found; see there."""
