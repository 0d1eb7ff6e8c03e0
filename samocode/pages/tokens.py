"""The words that two texts are compared by, so that a formatter's work is none.

Formatters rewrap lines, pad tables, and change marks of lists, emphasis, headings, code and quotes.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import NamedTuple

STRUCK = re.compile(r"(?<!~)~~(?![~\s])[^~]+(?<!\s)~~(?!~)")
LIST_NUMBER = re.compile(r"(?<!\S)\d{1,9}(?=\\?[.)](?:[\s*_]|$))")
ANY_NUMBER = re.compile(r"(?<!\S)\d{1,9}\\?[.)](?=\s)")
LINE_MARK = re.compile(r"^[ \t>]*(?:[-*+](?:[ \t]+|$))*(?:\\?#+[ \t]*)?", re.M)
RULE_LINE = re.compile(r"^[\s|:=*_-]{2,}$", re.M)
AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]+|[^\s<>@]+@[^\s<>@]+)>")
WORD = re.compile(r"[^\W_]+|[^\w\s]")
EXACT = re.compile(r"(?<!\S)-(?=[^\W_])|(?<=[^\W_])#(?![^\W_#])|[^\W_]+|[^\w\s#-]")
EXACT_SYMBOLS = frozenset("+<>=/$%&@!?^#-")
MARK_PLANE = 0x20000  # combining marks become letters here, so that they stay in their words


class Token(NamedTuple):
    """A word or symbol and where it is in its text."""

    start: int
    end: int
    word: str


class _Kept(dict[int, str]):
    """Translates each character to itself, or to a space when it is no matter."""

    def __init__(self, symbols: frozenset[str]) -> None:
        super().__init__()
        self._symbols = symbols

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kind = unicodedata.category(char)[0]
        symbol = (kind == "S" and code > 127) or (kind == "C" and code >= 0x1F000)  # new emoji
        kept = char.isalnum() or symbol or char in self._symbols
        found = chr(MARK_PLANE + (code & 0xFFFF)) if kind == "M" else char if kept else " "
        self[code] = found
        return found


_WORDS, _EXACT = _Kept(frozenset()), _Kept(EXACT_SYMBOLS)


def tokens(text: str) -> list[Token]:
    """Words and symbols beyond ASCII, in lower case; numbers of lists are left out."""
    plain = LIST_NUMBER.sub(lambda m: " " * len(m[0]), text).translate(_WORDS)
    return [Token(m.start(), m.end(), m[0].casefold()) for m in WORD.finditer(plain)]


def words(text: str) -> list[str]:
    """The same without places. A text that is only a number has it."""
    return [token.word for token in tokens(text)] or text.translate(_WORDS).casefold().split()


def exact(text: str) -> list[str]:
    """What two answers are compared by: case and symbols count, a formatter's marks do not."""
    text = AUTOLINK.sub(r"\1", RULE_LINE.sub("", html.unescape(text.strip()))) + "\n"
    text = LINE_MARK.sub("", _first_number(text))
    return EXACT.findall(text.translate(_EXACT))


def says_something(text: str) -> bool:
    """Whether there is a word or symbol in it, beyond comments and what is struck through."""
    return bool(words(meant(text)))


def meant(text: str) -> str:
    """The text without comments and what is struck through."""
    kept, at = list[str](), 0
    for start, end in comments(text):
        kept.append(text[at:start])
        at = end
    return STRUCK.sub("", "".join(kept) + text[at:])


def comments(text: str) -> list[tuple[int, int]]:
    """(start, end) of each closed comment."""
    found, at = list[tuple[int, int]](), 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        at = end + 3
        found.append((start, at))
    return found


def outer(text: str) -> str:
    """The text without the blank space and comments before and after it."""
    start, end, found = 0, len(text.rstrip()), comments(text)
    for first, last in found:
        if text[start:first].strip():
            break
        start = last
    for first, last in reversed(found):
        if first < start or text[last:end].strip():
            break
        end = len(text[:first].rstrip())
    return text[start:end].strip()


def holds(has: list[str], wanted: list[str]) -> bool:
    """Whether `wanted` is in `has`, in that order and together."""
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(has)} "


def _first_number(text: str) -> str:
    """Of numbers as lists have them only the first counts: formatters number the rest."""
    first = ANY_NUMBER.search(text)
    return text[: first.end()] + ANY_NUMBER.sub("", text[first.end() :]) if first else text
