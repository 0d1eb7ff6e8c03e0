"""A scenario: the project, the human's words and answers, and what must come of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TALLY: Mapping[str, Any] = tomllib.loads((HERE / "tally.toml").read_text())
TASK = "Give tally an option that leaves out words shorter than a given length."
YES = "yes"


@dataclass(frozen=True)
class Scenario:
    """A file of scenarios/, or a table of scenarios/short.toml; the keys there are these fields."""

    name: str
    about: str
    task: str = TASK
    dive: str = ""
    package: str = ""  # a pinned source package from PyPI; empty: the project of tally.toml
    library: str = ""  # a module of Python's standard library that is copied into the project
    more: Mapping[str, str] = field(default_factory=dict[str, str])  # text added to its files
    hidden: str = ""  # tests that no reader sees; run on the last commit of a finished session
    steps: Sequence[str] = ()  # what the scripted reader plays before the first real one
    given: Mapping[str, str] = field(
        default_factory=dict[str, str]
    )  # answers to its last questions
    overview: str = ""  # what then stands in place of _overview.md
    dirty: Mapping[str, str] = field(default_factory=dict[str, str])  # uncommitted, by somebody
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Pattern, searched in a question's title and text -> the human's answer."""
    turn: str = ""  # added to the first answer of the session: it changes the direction
    refusals: Sequence[str] = ()  # what the human wants changed in the first plan, the second, ...
    iterations: int = 0  # how many readers play; 0: until the session ends
    expect: Sequence[str] = ()
    """Patterns for the endings of the first iteration, the second, ..., as in `Played.ending`."""
    mentions: Sequence[str] = ()  # patterns that the first iteration's files must hold
    calls: int = 0  # shell calls that an iteration may take; 0: any number
    seconds: int = 0  # time that its commands may run in all; 0: any

    def says(self, title: str, text: str, said: Sequence[str], refused: int) -> str:
        """The human's answer to a question. `said`: their answers so far, of which none of
        `answers` is given twice; `refused`: the number of plans refused."""
        if title.startswith("Approve the plan"):
            return self.refusals[refused] if refused < len(self.refusals) else YES
        suggested = re.search(r"^Suggested: *(([A-Z])\b)?(.*)", text, re.M)
        told = (suggested[2] or suggested[3].strip()) if suggested else "You decide"
        for pattern, answer in self.answers.items():
            if answer not in said and re.search(pattern, f"{title}\n{text}", re.I):
                told = answer
        return f"{told}. {self.turn}" if self.turn and not said else told


def load(name: str) -> Scenario:
    """A scenario by its name. KeyError: there is none."""
    return Scenario(name=name, **_all()[name])


def names() -> list[str]:
    """All scenarios."""
    return sorted(_all())


def _all() -> dict[str, dict[str, Any]]:
    found = {file.stem: tomllib.loads(file.read_text()) for file in HERE.glob("scenarios/*.toml")}
    return found | found.pop("short")
