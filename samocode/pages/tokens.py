"""The words that two texts are compared by. Formatters rewrap lines, pad tables, renumber lists and
change the marks of lists, emphasis, headings, code and quotes: none of that counts."""

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
TOKEN = re.compile(  # beyond ASCII all but typographic marks: letters, what combines, emoji
    r"(?:[^\W_]|[^\x00-\xbf\u2000-\u206f\s])+|(?<![\w-])-(?=[^\W_])|(?<=[^\W_])#(?![^\W_#])|"
    r"[+<>=/$%&@!?^]"
)


def tokens(text: str) -> list[str]:
    """Words, and the symbols that no formatter changes; list numbers only at the beginning."""
    from html import unescape  # its table takes long to import, and a signal asks rarely

    text = AUTOLINK.sub(r"\1", RULE_LINE.sub("", unescape(text.strip())))
    text = LIST_NUMBER.sub(lambda found: "" if found.start(2) else found[0], text)
    return TOKEN.findall(LINE_MARK.sub("", text))


def same(text: str, other: str) -> bool:
    """Whether two answers say the same, comments aside. Formatters number lists anew."""
    texts = meant(text).strip(), meant(other).strip()
    numbers = [[m.groups() for m in LIST_NUMBER.finditer(one)] for one in texts]
    return (
        tokens(texts[0]) == tokens(texts[1])
        and len(numbers[0]) == len(numbers[1])
        and all(a[1] == b[1] or None not in (a[0], b[0]) for a, b in zip(*numbers, strict=True))
    )


def words(text: str) -> list[str]:
    """Those that say something, in lower case: with a letter, a digit or an emoji."""
    return [word.casefold() for word in tokens(text) if any(map(_says, word))]


def _says(char: str) -> bool:
    return char.isalnum() or (char > "\x7f" and category(char)[0] not in "PZ")


def meant(text: str) -> str:
    """The text without closed comments and what is struck through."""
    return STRUCK.sub("", COMMENT.sub("", text))


def more(text: str, printed: str, *, by_word: bool) -> str:
    """The lines of a text that its print does not have, or not as often. With `by_word` layout does
    not count, nor does a line of words that the print lost: a part of it is gone, or it was wrapped
    anew."""
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
        if not key:  # goes with a line beside it
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
