"""How many columns of a terminal a text takes, and how it is cut and broken to fit."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
"""They reorder or break a line. Other invisible characters (ZWJ, marks) are text."""
SOFT_HYPHEN = "\u00ad"  # a format character that terminals show
BLANKS = re.compile(r"[ \t\n\r\f\v]+")  # no-break and ideographic spaces are text


class Layout(NamedTuple):
    """Text in rows of a terminal, and where in them the cursor is."""

    rows: tuple[str, ...]
    row: int
    column: int


def printable(text: str) -> str:
    """Replace each control character and bidi override by `?`, so that text of a model or a
    repository cannot control the terminal. The length stays the same."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    clean = "".join("?" if _drives(c) else c for c in text)
    return clean.encode("utf-8", "replace").decode("utf-8")


def _drives(char: str) -> bool:
    return char in OVERRIDES or (char not in "\n\t" and unicodedata.category(char) == "Cc")


def width(text: str) -> int:
    """Columns that a text takes; a sequence of joined emoji may take fewer."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    if char.isascii() or char == SOFT_HYPHEN:
        return 1
    if unicodedata.category(char) in ("Mn", "Me", "Cf") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def one_line(text: str) -> str:
    """The text on one line: each run of blanks and line ends becomes one blank."""
    return BLANKS.sub(" ", text).strip(" ")


def clip(text: str, columns: int) -> str:
    """One line of at most so many columns."""
    return cut(one_line(text[: 8 * columns]), columns)  # do not scan a text of 1 MB


def cut(line: str, columns: int) -> str:
    """The beginning of a line that fits, with an ellipsis where something is missing."""
    if width(line) <= columns:
        return line
    kept, used = "", 1
    for char in line:
        used += _columns(char)
        if used > columns:
            break
        kept += char
    return kept.rstrip(" ") + "…"


def wrap(text: str, columns: int, indent: str = "") -> str:
    """Break each line at blanks. `indent` begins the continuation lines."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line, empty = "", True
        for word in paragraph.split(" "):
            if not empty and width(line) + 1 + width(word) > columns:
                lines.append(line)
                line, empty = indent, True
            line += word if empty else f" {word}"
            empty = False
        lines.append(line)
    return "\n".join(lines)


def layout(text: str, cursor: int, columns: int) -> Layout:
    """Break text into rows of at most `columns`, with the cursor before character `cursor`."""
    rows, used, at = [""], 0, (0, 0)
    for index, char in enumerate(text):
        if index == cursor:
            at = (len(rows) - 1, used)
        if char == "\n":
            rows.append("")
            used = 0
            continue
        takes = _columns(char)
        if used + takes > columns:
            rows.append("")
            used = 0
        rows[-1] += " " if char == "\t" else char
        used += takes
    return Layout(tuple(rows), *(at if cursor < len(text) else (len(rows) - 1, used)))
