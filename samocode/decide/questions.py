"""Check the questions in a `waiting` signal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from samocode.pages.questions import LETTERS
from samocode.pages.tokens import PLACEHOLDERS, words
from samocode.record.state import Question
from samocode.record.untrusted import items, mapping
from samocode.record.words import nearest

MOST, MOST_OPTIONS = 8, len(LETTERS)
LINE, WHY = 200, 600  # characters
NO_ANSWERS = (["same"], ["before"], *([word] for word in PLACEHOLDERS))
KEYS = ("title", "why", "options", "suggested", "because")
EXAMPLE = {
    "title": "Which login method?",
    "why": "It decides where tokens live.",
    "options": ["JWT", "Server sessions"],
    "suggested": "A",
    "because": "it fits the two API clients",
}


def check(value: object, waits_for: str) -> tuple[tuple[Question, ...], tuple[str, ...]]:
    """Return (questions, ()) or ((), problems), one sentence per problem. `waits_for` is
    `qa_answers`, which requires suggestions, or `human_action`. The questions have no ids yet."""
    found = items(value)
    if not found:
        example = dict(EXAMPLE)
        if waits_for == "human_action":
            example = {"title": "Create the API key", "why": "The tests need it."}
        shown = json.dumps({"status": "waiting", "for": waits_for, "questions": [example]})
        return (), (f"waiting for {waits_for} needs `questions`, a list of 1 to {MOST}: {shown}",)
    problems = [f"`questions` has {len(found)}: ask at most {MOST}."] if len(found) > MOST else []
    for number, one in enumerate(found[:MOST], 1):
        problems += [f"Question {number}: {problem}" for problem in _problems(one, waits_for)]
    if problems:
        return (), tuple(problems)
    kind = "action" if waits_for == "human_action" else "qa"
    return tuple(_question(kind, mapping(one)) for one in found), ()


def _question(kind: str, found: Mapping[str, Any]) -> Question:
    return Question(
        id=0,
        kind=kind,
        title=found["title"].strip(),
        why=found["why"].strip(),
        options=tuple(option.strip() for option in found.get("options") or ()),
        suggested=(found.get("suggested") or "").strip(),
        because=(found.get("because") or "").strip(),
    )


def _problems(one: object, waits_for: str) -> Iterator[str]:
    if not isinstance(one, dict):
        yield "it must be an object."
        return
    found = mapping(cast("object", one))
    for key in found:
        if key not in KEYS:
            yield f"{short(key)} is not a key{nearest(str(key).lower(), KEYS)}."
    for key, most in (("title", LINE), ("why", WHY), ("suggested", LINE), ("because", LINE)):
        value = found.get(key)
        needed = key in ("title", "why") or (key == "suggested" and waits_for == "qa_answers")
        if value is None or value == "":
            if needed:
                yield f"`{key}` is missing."
        else:
            yield from _line_problems(f"`{key}`", value, most)
    yield from _option_problems(found.get("options"))
    yield from _suggestion_problems(found)


def _line_problems(name: str, value: object, most: int) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{name} must be text; it is {short(value)}."
    elif not words(value):
        yield f"{name} says nothing; it is {short(value)}."
    elif len(value) > most:
        yield f"{name} has {len(value)} characters; at most {most} fit."
    elif any(ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029" for char in value):
        yield f"{name} must be one line without control characters."
    elif any(0xD800 <= ord(char) < 0xE000 for char in value):
        yield f"{name} is not valid Unicode."


def _option_problems(value: object) -> Iterator[str]:
    if value is None or value == []:
        return
    found = items(value)
    if not 2 <= len(found) <= MOST_OPTIONS:
        yield f"`options` must be a list of 2 to {MOST_OPTIONS} texts, or left out."
        return
    problems = [p for option in found for p in _line_problems("each option", option, LINE)]
    yield from dict.fromkeys(problems)
    if not problems and len({" ".join(str(option).casefold().split()) for option in found}) < len(
        found
    ):
        yield "two `options` are the same."


def _suggestion_problems(found: Mapping[str, Any]) -> Iterator[str]:
    suggested, many = found.get("suggested"), len(items(found.get("options")))
    if isinstance(suggested, str) and words(suggested) in NO_ANSWERS:
        yield f"`suggested` must be usable as an answer; it is {short(suggested)}."
    if many and isinstance(suggested, str) and len(suggested.strip()) == 1:
        letter = suggested.strip().upper()
        if letter.isascii() and letter.isalpha() and letter not in LETTERS[:many]:
            yield f"`suggested` is {letter}, and there is no such option."


def short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) < 80 else text[:77] + "..."
