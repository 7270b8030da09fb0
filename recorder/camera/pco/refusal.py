"""How a setting of the camera is refused: key, value, and what is allowed instead."""

from typing import NoReturn

from recorder.errors import ConfigurationError


def refuse(key: str, value: object, why: str) -> NoReturn:
    """Raise the ConfigurationError for a setting of the camera; `key` is without its section."""
    raise ConfigurationError(f"camera.{key} = {value}: {why}")
