"""JSON from outside: parsed once, as what it must be, or None."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast


def parse(data: bytes | str | None) -> object:
    """A JSON value, None for anything that is none; rubbish of any kind never raises."""
    try:
        return cast("object", json.loads(data or b"null"))
    except (ValueError, RecursionError):
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def items(value: object) -> Sequence[object]:
    """The value if it is a JSON array, else an empty one."""
    return cast("Sequence[object]", value) if isinstance(value, list) else ()


def number(value: object) -> float | None:
    """The value if it is a finite number of a size that counts something, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 else None  # false for NaN; exact for any integer
