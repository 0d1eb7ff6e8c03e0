"""One iteration of the stand-in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from samocode.demo import notebook
from samocode.demo.choices import Choice, choices
from samocode.demo.notebook import Entry, Iteration, Question
from samocode.demo.stage import Stage

TOPIC = "limit"
TEST_COMMAND = "python -m unittest"


@dataclass(frozen=True)
class Child:
    """One iteration: its stage, its session folder and its `_iteration.json`."""

    stage: Stage
    session: Path
    now: Iteration

    def questions(self) -> tuple[Question, ...]:
        """Read all questions so far."""
        file = self.session / "_qa.md"
        return notebook.questions(self.stage.read(file)) if file.exists() else ()

    def choices(self, asked: tuple[Question, ...] | None = None) -> tuple[Choice, ...]:
        """Return what the user decided. `asked` saves reading the questions again."""
        return choices(self.questions() if asked is None else asked)

    def leave(self, kind: str, text: str) -> str:
        """Write an artifact under a free name and return the name."""
        names = (f"{self.now.stamp}-{kind}-{TOPIC}{more}.md" for more in ("", "-2", "-3", "-4"))
        name = next(name for name in names if not (self.session / name).exists())
        self.stage.write(self.session / name, text)
        return name

    def plan(self) -> Path | None:
        """Return the approved plan, else the newest one."""
        approved = self.session / (self.now.approved_plan or "")
        return approved if approved.is_file() else notebook.newest(self.session, "plan")


@dataclass(frozen=True)
class Ending:
    """How an iteration ends: its signal and its entry in the notebook."""

    signal: Mapping[str, object]
    entry: Entry
