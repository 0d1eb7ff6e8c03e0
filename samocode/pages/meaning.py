"""Interpret an answer: empty, options, a yes, or free text."""

from __future__ import annotations

import re

from samocode.pages.answers import Added
from samocode.pages.questions import LETTERS, options
from samocode.pages.tokens import COMMENT, PLACEHOLDERS, meant, words
from samocode.record.state import APPROVE, CHANGE, Question

YES = frozenset({"a", "y", "yes", "ok", "okay", "approve", "approved", "lgtm", "a)", "a) approve"})
WISHES = frozenset({"b", "change", "b change", "change say what", "b change say what"})
AROUND = "\"'\u2018\u2019\u201a\u201c\u201d\u201e*_`\u00ab\u00bb \t\r\n\u00a0\u200b"
OPEN_ENDS = ",;:-\u2013\u2014"
LETTER_LIST = re.compile(r"[A-Z](?:\s*[,&+/]\s*[A-Z])*[.)]?", re.I)


def nothing_yet(text: str) -> bool:
    """Whether a text is not an answer: punctuation, comment, struck through, placeholder."""
    said = words(meant(text))
    return not said or (len(said) == 1 and said[0] in PLACEHOLDERS)


def is_yes(text: str) -> bool:
    """Whether each line is only a yes, apart from `.`, `!`, quotes and emphasis."""
    lines = [line for line in text.strip(AROUND).splitlines() if line.strip()]
    said = {line.strip(AROUND).rstrip(".!\u3002\uff01").strip(AROUND).casefold() for line in lines}
    return bool(said) and said <= YES


def missing(question: Question, text: str) -> str | None:
    """Return what an answer lacks, None if nothing. Every answer needs a word. An answer to a plan
    is incomplete if it is a yes with a comma (some editors save while one types), or asks for a
    change without saying which. If there are options, a single letter must be one of them, Y or
    N."""
    if nothing_yet(text):
        return "that is no answer yet, write it in words"
    text = COMMENT.sub("", text).strip(AROUND)
    if question.kind == "approval":
        wish = " ".join(words(text)) in WISHES
        more = wish or (text[-1:] in OPEN_ENDS and is_yes(text.rstrip(OPEN_ENDS)))
        return "say what to change, or a plain yes" if more else None
    known = LETTERS[: len(question.options)]
    if known and re.fullmatch("[A-Za-z]", text) and text.upper() not in f"{known}YN":
        return f"choose {' or '.join(known)}, or answer in words"
    return None


def taken(question: Question, added: Added) -> tuple[str, ...]:
    """Return `took` of an answer: option letters, APPROVE or CHANGE, or empty for free text."""
    text = COMMENT.sub("", added.text)
    if question.kind == "approval":
        return APPROVE if added.marked == ("A",) or is_yes(text) else CHANGE
    return added.marked or _letters(question, text)


def _letters(question: Question, text: str) -> tuple[str, ...]:
    """Return the options if the text is only their letters, or one printed option line."""
    text, known = text.strip(AROUND), LETTERS[: len(question.options)]
    if LETTER_LIST.fullmatch(text):
        said = tuple(dict.fromkeys(re.findall(r"[A-Z]", text.upper())))
        return said if all(letter in known for letter in said) else ()
    return tuple(letter for letter, line in options(question) if text == line)
