"""Compare texts by words. Ignores what formatters (Prettier, markdownlint, mdformat) change: line
breaks, table padding, list numbers, and the markers of lists, emphasis, headings, code and
quotes."""

from __future__ import annotations

import re
from collections import Counter
from unicodedata import category

PLACEHOLDERS = frozenset({"tbd", "todo", "pending"})
COMMENT = re.compile(r"<!--(?:(?!<!--|-->).)*-->", re.S)
STRUCK = re.compile(r"(?<!~)~~(?![~\s])[^~]+(?<!\s)~~(?!~)")
LIST_NUMBER = re.compile(r"(^[ \t>]*)?(?<!\S)(\d{1,9})\\?[.)](?=\s|$)", re.M)
LINE_MARK = re.compile(r"^[ \t>]*(?:[-*+](?:[ \t]+|$))*(?:\\?#+[ \t]*)?", re.M)
RULE_LINE = re.compile(r"^[\s|:=*_-]{2,}$", re.M)
AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]+|[^\s<>@]+@[^\s<>@]+)>")
TOKEN = re.compile(  # beyond ASCII: letters, combining marks, emoji; no typographic marks
    r"(?:[^\W_]|[^\x00-\xbf\u2000-\u206f\s])+|(?<![\w-])-(?=[^\W_])|(?<=[^\W_])#(?![^\W_#])|"
    r"(?<=[^\W_])[-_.,:;](?=[^\W_])|"
    r"[+<>=/$%&@!?^]"
)


def tokens(text: str) -> list[str]:
    """Return words and symbols that no formatter changes. List numbers are dropped, except one at
    the start of the text."""
    from html import unescape  # slow to import, and rarely needed by the Stop hook

    text = AUTOLINK.sub(r"\1", RULE_LINE.sub("", unescape(text.strip())))
    text = LIST_NUMBER.sub(lambda found: "" if found.start(2) else found[0], text)
    return TOKEN.findall(LINE_MARK.sub("", text))


def same(text: str, other: str) -> bool:
    """Whether two answers are equal apart from comments and formatting."""
    texts = meant(text).strip(), meant(other).strip()
    numbers = [[m.groups() for m in LIST_NUMBER.finditer(one)] for one in texts]
    return (
        tokens(texts[0]) == tokens(texts[1])
        and len(numbers[0]) == len(numbers[1])
        and all(a[1] == b[1] or None not in (a[0], b[0]) for a, b in zip(*numbers, strict=True))
    )


def words(text: str) -> list[str]:
    """Return the words with a letter, a digit or an emoji, in lower case."""
    return [word.casefold() for word in tokens(text) if any(map(_says, word))]


def _says(char: str) -> bool:
    return char.isalnum() or (char > "\x7f" and category(char)[0] not in "PZ")


def meant(text: str) -> str:
    """Remove comments and text that is struck through."""
    return STRUCK.sub("", COMMENT.sub("", text))


def more(text: str, printed: str, *, by_word: bool) -> str:
    """Return the lines of a text that were not printed, or not as often. With `by_word`, formatting
    is ignored. So is a new line whose words all come from printed lines that are gone: a formatter
    wrapped them."""
    split = tokens if by_word else str.split
    left = Counter(tuple(split(line)) for line in printed.split("\n"))
    lines: list[tuple[str, tuple[str, ...], bool]] = []
    for line in text.split("\n"):
        key = tuple(split(line))
        lines.append((line, key, left[key] > 0))
        left[key] -= 1
    lost = Counter(word for key, times in left.items() for word in key * (max(times, 0) * by_word))
    extra, between, adding = list[str](), list[str](), False
    for line, key, known in lines:
        if not key:  # a blank line goes with its neighbour
            between.append(line)
            continue
        before, adding = adding, not known
        if adding and all(lost[word] >= times for word, times in Counter(key).items()):
            lost.subtract(key)
            adding = False
        extra += between if before or adding else []
        extra += [line] if adding else []
        between = []
    return "\n".join(extra + (between if adding else [])).strip()
