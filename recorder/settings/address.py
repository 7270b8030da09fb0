"""Where the servers for other programs and browsers listen, and the tokens that admit clients."""

import secrets

from recorder.errors import UsageError

# How it is written.
ADDRESS = "HOST:PORT, for example 127.0.0.1:7625"

_MAX_PORT = 65535


def split(text: str) -> tuple[str, int]:
    """Return host and port (0 to 65535) of HOST:PORT; raises UsageError for anything else."""
    host, _, port = text.rpartition(":")
    if not host or ":" in host or " " in host or not port.isdecimal() or int(port) > _MAX_PORT:
        raise UsageError(f"must be {ADDRESS}")
    return host, int(port)


def new_token() -> str:
    """Return a new random token of 128 bits, as text that may stand in a URL."""
    return secrets.token_urlsafe(16)


def is_password(key: str) -> bool:
    """Return whether a key of the configuration, alone or with its sections, is a token."""
    return key.strip().rpartition(".")[2] == "token"
