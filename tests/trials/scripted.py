"""The scripted reader: plays one iteration by the letter, on the project of tally.toml.

scripted.py STEP SESSION      from the worktree; a step is named after the artifact that it leaves
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from samocode.record import files
from tests.trials import forms
from tests.trials.scenario import TALLY, tally
from tests.trials.trial import git

NEXT = {
    "dive": "requirements", "requirements": "planning", "phase-2": "testing", "test": "quality",
    "cleanup": "done",
}  # fmt: skip


def play(step: str, session: Path, early: bool = False) -> None:
    """Play one step as this session's present iteration. `early`, while a state is made: stamps
    lie ten minutes apart and hours ago, so that a reader comes later."""
    told: dict[str, Any] = json.loads((session / "_iteration.json").read_text())
    ago = timedelta(minutes=180 - 10 * told["iteration"])
    stamp = f"{datetime.now() - ago:%m-%d-%H:%M}" if early else told["stamp"]
    kind = step.removeprefix("wrong-")
    name = f"{stamp}-{kind}-min.md"
    if kind.startswith("phase"):
        build(step, session / told["approved_plan"])
    if kind != "questions":
        (session / name).write_text(text_of(kind))
    phase = NEXT.get(kind, str(told["phase"]))
    overview(session, phase, f"- {stamp} {step}")
    signals: dict[str, dict[str, Any]] = {
        "questions": {"status": "waiting", "for": "qa_answers", "questions": TALLY["questions"]},
        "plan": {"status": "waiting", "for": "plan_approval", "plan": name},
        "summary": {"status": "done", "summary": "tally has --min N."},
    }
    signal = signals.get(kind, {"status": "continue", "phase": phase})
    files.write(session / "_signal.json", json.dumps(signal))


def build(step: str, plan: Path) -> None:
    """Carry out a phase of the plan: code, commit, ticks."""
    number = step[-1]
    for name, text in tally(3 if step.startswith("wrong") else int(number)).items():
        Path(name).write_text(text)
    git(Path(), "commit", "--quiet", "--all", "--message", f"Leave out short words, part {number}")
    head, mark, tail = plan.read_text().partition(f"## Phase {number}:")
    body, cut, rest = tail.partition("\n## ")
    plan.write_text(head + mark + body.replace("- [ ]", "- [x]") + cut + rest)


def text_of(kind: str) -> str:
    """An artifact: below each heading of its form what tally.toml says, else that all is well."""
    commit = git(Path(), "rev-parse", "--short", "HEAD").strip()
    well = "- `python -m unittest -q`: exit code 0, OK"
    texts = {head.split(":")[0]: f"{head}\n{text}" for head, text in TALLY["sections"].items()}
    heads = forms.headings(kind.partition("-")[0])[1:]
    parts = [texts.get(head, f"{head}\n{well}") for head in heads]
    return "\n".join([f"# {kind}: leave out short words", f"Commit: {commit}", well, *parts, ""])


def overview(session: Path, phase: str, line: str) -> None:
    """The notebook, written anew, with its old log lines."""
    path = session / "_overview.md"
    log = [*re.findall(r"^- \d\d-\d\d-\d\d:\d\d .*", path.read_text(), re.M), line]
    files = [f"- {file.name}" for file in sorted(session.glob("[0-9]*.md"))]
    status = f"# work\n\n## Status\nPhase: {phase}\nNext: {phase}\n\n## Decisions\nas answered\n"
    path.write_text("\n".join([status, "## Flow log", *log, "\n## Files", *files, ""]))


if __name__ == "__main__":
    play(sys.argv[1], Path(sys.argv[2]))
