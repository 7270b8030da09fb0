"""What may happen thousands of times is told at the first time, the tenth, the hundredth and so on."""


def is_told(count: int) -> bool:
    """Return whether the time with this number, from 1 on, is one that is told."""
    return str(count).rstrip("0") == "1"
