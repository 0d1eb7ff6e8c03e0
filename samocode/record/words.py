"""Small pieces of sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST_NAMES = 10


def few(names: Sequence[str]) -> str:
    """The first ten of these names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def nearest(name: str, known: Iterable[str]) -> str:
    """` (nearest: NAME)`, of the known names; empty when none is near."""
    from difflib import get_close_matches  # takes long to import, and is rarely needed

    near = get_close_matches(name, list(known), 1)
    return f" (nearest: {near[0]})" if near else ""


def clean(text: str) -> str:
    """The text as a page holds it: no BOM, `\\n` at the end of lines, no half surrogate pair."""
    unix = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return unix.encode("utf-8", "replace").decode()


def sentence(text: str) -> str:
    """Somebody else's words, ended as a sentence is."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…", "。")) else f"{text}."
