"""What a scenario says: the project, the human's words and answers, and how the trial begins."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samocode.pages.questions import Question

SCENARIOS = Path(__file__).resolve().parent / "scenarios"
YES = "yes"


@dataclass(frozen=True)
class Scenario:
    """One folder below scenarios/; `scenario.toml` holds these fields."""

    name: str
    about: str
    task: str
    dive: str = ""
    package: str = ""
    """A pinned source package from PyPI; empty: `project`."""
    project: str = "tally"
    """A folder of projects/."""
    own: str = ""
    """The shell command that runs the project's own tests; empty: pytest."""
    state: str = ""
    """How the session stands at the beginning: a function of states.py; empty: from nothing."""
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Pattern, looked for in a question's title -> the human's answer."""
    turn: str = ""
    """Said once, added to the first answer of the session: it changes the direction."""
    refusals: tuple[str, ...] = ()
    """What the human wants changed in the first plan, the second, ..."""
    timeout: int = 7200
    """Seconds that the loop gives an iteration."""
    deadline: int = 0
    """Seconds from the hand-over to the reader until the deadline that _iteration.json tells."""
    iterations: int = 0
    """Readers to play before the trial counts as over; 0: until the session is done."""
    expect: tuple[str, ...] = ()
    """Signal statuses that the first iteration may end with; empty: any legal one."""
    next: tuple[str, ...] = ()
    """Phases that its signal may lead to; empty: any."""

    mentions: tuple[str, ...] = ()
    """Patterns that its artifacts, overview, questions or signal must hold; `FILE: PATTERN` names
    one."""
    leaves: tuple[str, ...] = ()
    """Kinds of artifacts that it must leave, all of them."""

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return SCENARIOS / self.name

    @property
    def hidden(self) -> Path:
        """Tests that no reader sees."""
        return self.folder / "hidden_tests"

    def says(self, question: Question, first: bool, refused: int) -> str:
        """The scripted human's answer; `first`: nothing was answered yet; `refused`: so many plans
        were."""
        if re.search(r"^## Q\d+: Approve the plan ", question.text):
            return self.refusals[refused] if refused < len(self.refusals) else YES
        told = next(
            (
                text
                for topic, text in self.answers.items()
                if re.search(topic, question.title, re.I)
            ),
            _letter(question.suggested or ""),
        )
        return f"{told}. {self.turn}" if first and self.turn else told


def load(name: str) -> Scenario:
    """A scenario by its folder's name."""
    data: dict[str, Any] = tomllib.loads((SCENARIOS / name / "scenario.toml").read_text())
    for key in ("refusals", "expect", "next", "mentions", "leaves"):
        data[key] = tuple(data.get(key, ()))
    return Scenario(name=name, **data)


def names() -> list[str]:
    """All scenarios."""
    return sorted(file.parent.name for file in SCENARIOS.glob("*/scenario.toml"))


def _letter(suggested: str) -> str:
    """The option's letter when the suggestion begins with one, else all of it."""
    found = re.match(r"([A-Z])\b", suggested)
    return found[1] if found else suggested or "You decide"
