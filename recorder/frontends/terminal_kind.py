"""What the terminal can show, by its environment: asking it could take what is typed for an answer."""

from collections.abc import Mapping

# Terminals that have 16.7 million colours, or one of the ways of sending pictures, without a word on it.
_TRUE_COLOUR = {"xterm-kitty", "xterm-ghostty", "alacritty", "wezterm", "foot", "foot-extra", "contour"}
_KITTY = {"xterm-kitty", "xterm-ghostty"}
_KITTY_PROGRAMS = {"ghostty", "WezTerm"}
_SIXEL = {"foot", "foot-extra", "mlterm", "contour", "yaft-256color"}


def colour_bits(environment: Mapping[str, str]) -> int | None:
    """Return how many bits of colour the terminal has: 24 or 1 (none); None: what is usual for its name."""
    term = environment.get("TERM", "")
    if environment.get("NO_COLOR") or term == "dumb" or term.startswith("vt"):
        return 1
    names_it = environment.get("COLORTERM", "") in {"truecolor", "24bit"} or term.endswith("-direct")
    return 24 if names_it or term in _TRUE_COLOUR or "WT_SESSION" in environment else None


def graphics(environment: Mapping[str, str]) -> str:
    """Return how the terminal is known to take pictures: kitty, sixel, or "" for not known.

    A multiplexer passes none on, whatever is around it.
    """
    term = environment.get("TERM", "")
    if "TMUX" in environment or "STY" in environment or term.startswith(("screen", "tmux")):
        return ""
    if term in _KITTY or "KITTY_WINDOW_ID" in environment:
        return "kitty"
    if environment.get("TERM_PROGRAM") in _KITTY_PROGRAMS:
        return "kitty"
    return "sixel" if term in _SIXEL else ""
