"""Parse JSON from outside. Anything unexpected becomes None or empty, never an exception."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast


def parse(data: bytes | str | None) -> object:
    """Return the JSON value, or None if the text is not valid JSON."""
    try:
        return cast("object", json.loads(data or b"null"))
    except (ValueError, RecursionError):
        return None


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else an empty mapping."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def items(value: object) -> Sequence[object]:
    """Return the value if it is a JSON array, else an empty sequence."""
    return cast("Sequence[object]", value) if isinstance(value, list) else ()


def number(value: object) -> float | None:
    """Return the value if it is a number between -1e15 and 1e15, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e15 else None  # false for NaN, exact for large integers
