"""The loop's part, played for the demo's stand-in: one iteration at a time, nothing decided."""

import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samocode.demo import DemoProject, standin
from samocode.pages.questions import page
from samocode.record.state import Question, SessionState

SESSION_ID = "11111111-2222-3333-4444-555555555555"
FLAGS = [
    *("-p", "--output-format", "stream-json", "--verbose", "--model", "opus"),
    *("--permission-mode", "bypassPermissions", "--add-dir", "A", "B"),
    *("--session-id", SESSION_ID, "--disallowedTools", "X,Y"),
]


@dataclass
class Loop:
    """Plays the loop's part: writes what a child reads, runs the stand-in, reads what it left."""

    project: DemoProject
    session: Path
    worktree: Path
    number: int = 0
    paused: list[float] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def run(self, phase: str, **more: Any) -> dict[str, Any]:
        """One iteration in `phase`; the signal it left."""
        self.number += 1
        signal = self.session / "_signal.json"
        signal.unlink(missing_ok=True)
        facts = {"iteration": self.number, "phase": phase, "stamp": "01-08-11:00", **more}
        (self.session / "_iteration.json").write_text(json.dumps(facts))
        self.events = self._spawn()
        found: dict[str, Any] = json.loads(signal.read_text())
        return found

    def _spawn(self) -> list[dict[str, Any]]:
        out = io.StringIO()
        prompt = f"workflow\n\nSession folder: {self.session}\nCommands folder: C (lost?)\n"
        world = standin.World(
            self.worktree, self.project.environ, io.StringIO(prompt), out, self.paused.append
        )
        assert standin.main(FLAGS, world) == 0
        return [json.loads(line) for line in out.getvalue().splitlines()]

    def answer(self, *answers: str) -> None:
        """Fill the open questions of _qa.md in their order."""
        file = self.session / "_qa.md"
        parts = file.read_text().split("Answer:\n")
        assert len(parts) == len(answers) + 1
        told = [f"{part}Answer: {text}\n" for part, text in zip(parts, answers, strict=False)]
        file.write_text("".join([*told, parts[-1]]))

    def print_questions(self, questions: Sequence[Mapping[str, Any]]) -> None:
        """Print what the child asked, as the loop does."""
        asked = {
            n: Question(n, "qa", one["title"], one["why"], tuple(one["options"]), one["suggested"])
            for n, one in enumerate(questions, 1)
        }
        shown = page(SessionState(asked=asked))
        (self.session / "_qa.md").write_text(shown.text if shown else "")

    def ask_approval(self, number: int, plan: str) -> None:
        """The question that the loop adds."""
        question = (
            f"## Q{number}: Approve the plan {plan}?\n\n- A) Approve\n- B) Change: say what\n\n"
        )
        file = self.session / "_qa.md"
        file.write_text(f"{file.read_text()}\n{question}Answer:\n")

    def to_plan(self, *answers: str) -> str:
        """From the start to the first plan; its name."""
        assert self.run("investigation") == {"status": "continue", "phase": "requirements"}
        asked = self.run("requirements")
        assert (asked["status"], asked["for"]) == ("waiting", "qa_answers")
        self.print_questions(asked["questions"])
        self.answer(*answers)
        assert self.run("requirements") == {"status": "continue", "phase": "planning"}
        return str(self.run("planning")["plan"])

    def python(self, code: str) -> str:
        """What the finished library does."""
        done = subprocess.run(
            [sys.executable, "-c", f"from links import slugify\n{code}"],
            cwd=self.worktree,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1]

    def texts(self, pattern: str) -> str:
        """The artifacts of a kind, one after the other."""
        return "".join(file.read_text() for file in sorted(self.session.glob(pattern)))
