"""Helpers for text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MOST_NAMES = 10
DATED = re.compile(r"\d\d-\d\d-\d\d-(.+)", re.S)
"""A session's folder name: its date, then the name that a person gave it."""


def few(names: Sequence[str]) -> str:
    """Join the first ten names and say how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def counted(number: int, what: str) -> str:
    """`1 commit`, `2 commits`."""
    return f"{number} {what}{'s' * (number != 1)}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` (nearest: NAME)` for the closest known name, or an empty string."""
    from difflib import get_close_matches  # slow to import, and rarely needed

    near = get_close_matches(name, list(known), 1)
    return f" (nearest: {near[0]})" if near else ""


def clean(text: str) -> str:
    """Normalize text for a page: no BOM, `\\n` line ends, no lone surrogates."""
    unix = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return unix.encode("utf-8", "replace").decode()


def sentence(text: str) -> str:
    """Strip the text and end it with a full stop if it has no end mark."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…", "。")) else f"{text}."


def short_name(name: str) -> str:
    """The name of a session without its date: 26-01-08-jwt-login becomes jwt-login."""
    dated = DATED.fullmatch(name)
    return dated[1] if dated else name
