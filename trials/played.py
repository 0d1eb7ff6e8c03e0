"""What the stand-in child leaves behind, step by step, so that a trial can begin in the middle of a
session: the task is tally's option --min."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

TEXTS = Path(__file__).resolve().parent / "texts"
APART = 10  # minutes between the stamps of two played iterations
HOURS = 3  # the first stamp lies so far back


class Child:
    """One played iteration."""

    def __init__(self, session: Path, iteration: Mapping[str, Any]) -> None:
        self.session, self.iteration = session, iteration
        began = datetime.now() - timedelta(hours=HOURS)
        self.stamp = f"{began + timedelta(minutes=APART * iteration['iteration']):%m-%d-%H:%M}"

    def leave(self, kind: str, text: str | None = None) -> str:
        """Write an artifact, by default the text of texts/KIND.md; its name."""
        name = f"{self.stamp}-{kind}.md"
        filled = (text or (TEXTS / f"{kind}.md").read_text()).replace("HASH", head())
        (self.session / name).write_text(filled)
        return name

    def end(self, did: str, then: str, artifact: str, decisions: str = "", **signal: str) -> None:
        """The overview, then the signal."""
        phase = signal.get("phase", self.iteration["phase"])
        path = self.session / "_overview.md"
        text = re.sub(
            r"## Status\n.*?\n\n",
            f"## Status\nPhase: {phase}\nLast action: {did}\nNext: {then}\n\n",
            path.read_text(), flags=re.S,
        )  # fmt: skip
        number = self.iteration["iteration"]
        text = _added(text, "Decisions", decisions)
        text = _added(text, "Flow log", f"- {number} {self.stamp} {self.iteration['phase']}: {did}")
        text = _added(text, "Files", f"- {artifact}" if artifact else "")
        path.write_text(text)
        temporary = self.session / "_signal.json.tmp"
        temporary.write_text(json.dumps(signal))
        temporary.rename(self.session / "_signal.json")

    def dive(self) -> None:
        """Investigation."""
        name = self.leave("dive-counting")
        found = "- Found: main() reads, count() counts, ranked() sorts and cuts; a filter fits\n"
        found += "  between count() and ranked()."
        self.end("dive", "ask", name, found, status="continue", phase="requirements")

    def ask(self) -> None:
        """Requirements: two questions."""
        (self.session / "_qa.md").write_text((TEXTS / "questions.md").read_text())
        self.end(
            "asked Q1, Q2", "fold the answers in", "", status="waiting", **{"for": "qa_answers"}
        )

    def fold(self) -> None:
        """Requirements: the answers folded in."""
        name = self.leave("requirements-min")
        told = "- Q1: the option is --min N.\n- Q2: below 1 is a usage error."
        self.end("requirements", "plan", name, told, status="continue", phase="planning")

    def plan(self, text: str = "plan-min") -> None:
        """Planning."""
        name = self.leave("plan-min", (TEXTS / f"{text}.md").read_text())
        wait = {"for": "plan_approval", "plan": name}
        self.end("plan", "phase 1", name, status="waiting", **wait)

    def phase_1(self) -> None:
        """The plan's first phase, done."""
        filter_added()
        commit("Add at_least, which leaves out short words", "tally.py", "test_tally.py")
        self.tick(1)
        name = self.leave("phase-1-min")
        self.end("plan phase 1", "plan phase 2", name, status="continue")

    def half_a_phase_1(self) -> None:
        """The first phase, cut off by the time limit before its commit."""
        filter_added()
        time.sleep(60)

    def phase_2(self, wrong: bool = False) -> None:
        """The plan's second phase; `wrong`: with a fault that no test sees, --top cuts before --min
        filters."""
        option_added(wrong)
        commit("Add the option --min", "tally.py", "test_tally.py", "README.md")
        self.tick(2)
        name = self.leave("phase-2-min")
        self.end("plan phase 2", "test", name, status="continue", phase="testing")

    def refused_phase_2(self) -> None:
        """The second phase built, and refused by a hook that nobody here can mend."""
        option_added(wrong=False)
        self.end(
            "plan phase 2 built; the pre-commit hook refuses every commit", "commit phase 2", "",
            status="blocked", reason="the pre-commit hook cannot reach its licence server",
            needs="mend or remove .git/hooks/pre-commit",
        )  # fmt: skip

    def test(self) -> None:
        """Testing, all green; after a review straight to done."""
        name = self.leave("test-min")
        reviewed = list(self.session.glob("*-review-*.md"))
        then = "done" if reviewed else "quality"
        self.end("tests green", then, name, status="continue", phase=then)

    def review(self) -> None:
        """Quality: nothing found, no cleanup report yet."""
        name = self.leave("review-min")
        self.end("review: pass", "cleanup report", name, status="continue")

    def cleanup(self) -> None:
        """Quality: nothing to tidy."""
        name = self.leave("cleanup-min")
        self.end("cleanup: nothing", "summary", name, status="continue", phase="done")

    def summary(self) -> None:
        """The summary; VERIFY follows."""
        name = self.leave("summary-min")
        self.end("summary", "-", name, status="done", summary="tally has --min N.")

    def tick(self, phase: int) -> None:
        """Tick the boxes of one phase."""
        path = self.session / str(self.iteration["approved_plan"])
        head_, mark, tail = path.read_text().partition(f"## Phase {phase}:")
        body, cut, rest = tail.partition("\n## ")
        path.write_text(head_ + mark + body.replace("- [ ]", "- [x]") + cut + rest)


def _added(text: str, section: str, lines: str) -> str:
    if not lines:
        return text
    before, mark, tail = text.partition(f"## {section}\n")
    body, cut, rest = tail.partition("\n## ")
    return f"{before}{mark}{body.rstrip()}\n{lines}\n{cut}{rest}".replace(f"{mark}\n", mark)


def head() -> str:
    """The commit that is checked out, short."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit(message: str, *names: str) -> None:
    """Commit by name, as workflow.md asks."""
    subprocess.run(["git", "add", *names], check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", message], check=True)


def replace(name: str, old: str, new: str) -> None:
    """Change one place of a file."""
    path = Path(name)
    text = path.read_text()
    if text.count(old) != 1:
        raise ValueError(f"{old!r} is not once in {name}")
    path.write_text(text.replace(old, new))


def filter_added() -> None:
    """Phase 1's code and tests."""
    replace(
        "tally.py", "def read(name):", (TEXTS / "at_least.py.txt").read_text() + "def read(name):"
    )
    tests = (TEXTS / "test_at_least.py.txt").read_text()
    replace("test_tally.py", "class MainTest", tests + "class MainTest")


def option_added(wrong: bool) -> None:
    """Phase 2's code, tests and README line."""
    old = "    args = parser.parse_args(argv)\n"
    check = '    if args.min < 1:\n        parser.error("--min must be at least 1")\n'
    replace("tally.py", old, (TEXTS / "option.py.txt").read_text() + old + check)
    old = "    for word, number in ranked(count(texts), args.top):\n"
    if wrong:
        new = "    total = dict(ranked(count(texts), args.top))\n"
        new += "    for word, number in ranked(at_least(total, args.min)):\n"
    else:
        new = "    total = at_least(count(texts), args.min)\n" + old.replace(
            "count(texts)", "total"
        )
    replace("tally.py", old, new)
    old = "    def test_missing_file"
    replace("test_tally.py", old, (TEXTS / "test_option.py.txt").read_text() + old)
    old = "Standard input is read"
    replace("README.md", old, "`--min N` leaves out words with fewer than N letters. " + old)
