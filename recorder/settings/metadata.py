"""The section of what the user says of a recording: names that NeXus knows, and any others."""

import math
import re
from typing import Annotated, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from recorder.settings.field_types import ParsedBy, Section

MAX_TEXT = 500
MAX_KEYS = 100
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")

MetadataValue = str | int | float


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Text = Annotated[str | None, BeforeValidator(ParsedBy(_text, f"a text, at most {MAX_TEXT} characters"))]


def check_key(key: str) -> str:
    """Return a key that the file can hold; raises ValueError, which says how one is made."""
    if not _KEY.fullmatch(key):
        raise ValueError(f'"{key[:80]}" is no key: a letter first, then up to 62 letters, digits and _')
    return key


class MetadataSettings(Section):
    """What you say of the recording; besides these keys, any of your own with a short text or a number."""

    model_config = ConfigDict(extra="allow")

    subject: Text = Field(None, examples=["mouse 12"])
    """Who or what is recorded; `/entry/sample/name` in the file."""
    sample: Text = Field(None, examples=["brain slice, 300 um"])
    """What of it; `/entry/sample/description`."""
    preparation: Text = Field(None, examples=["2026-11-24"])
    """When it was prepared; `/entry/sample/preparation_date`."""
    experiment: Text = Field(None, examples=["2026-017"])
    """The experiment's number or name; `/entry/experiment_identifier`."""
    operator: Text = Field(None, examples=["M. Curie"])
    """Who records; `/entry/user/name`."""
    affiliation: Text = Field(None, examples=["Institute of Physiology"])
    """Where the operator works; `/entry/user/affiliation`."""
    email: Text = Field(None, examples=["curie@example.org"])
    """The operator's address; `/entry/user/email`."""
    orcid: Text = Field(None, examples=["0000-0002-1825-0097"])
    """The operator's ORCID; `/entry/user/ORCID`."""
    notes: Text = Field(None, examples=["second session"])
    """Anything; `/entry/notes/description`. All other keys are in `/entry/metadata`."""

    @model_validator(mode="after")
    def _check_others(self) -> Self:
        """Raise ValueError for a key or value that the file cannot hold."""
        for key, value in self.values.items():
            if isinstance(value, str) and len(value) > MAX_TEXT:
                raise ValueError(f"{key} has {len(value)} characters, at most {MAX_TEXT} are kept")
            if isinstance(value, str) and "\0" in value:
                raise ValueError(f"{key} has a character that ends texts (NUL)")
        others = self.model_extra or {}
        if len(others) > MAX_KEYS:
            raise ValueError(f"has more than {MAX_KEYS} keys")
        for key, value in others.items():
            check_key(key)
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError(f"{key} must be a text or a number")
            if not isinstance(value, str) and not (math.isfinite(value) and abs(value) < 2**63):
                raise ValueError(f"{key} must be a number of less than 2^63")
        return self

    @property
    def values(self) -> dict[str, MetadataValue]:
        """The keys that have a value, with it."""
        return self.model_dump(exclude_none=True)
