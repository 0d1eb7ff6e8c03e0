"""The scripted reader: plays one iteration by the letter, on the project of tally.toml.

scripted.py STEP SESSION      from the worktree; STEP is a key of STEPS
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.trials import forms
from tests.trials.scenario import TALLY

STEPS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "dive": ("dive", {"status": "continue", "phase": "requirements"}),
    "ask": ("", {"status": "waiting", "for": "qa_answers"}),
    "fold": ("requirements", {"status": "continue", "phase": "planning"}),
    "plan": ("plan", {"status": "waiting", "for": "plan_approval"}),
    "phase_1": ("phase-1", {"status": "continue"}),
    "phase_2": ("phase-2", {"status": "continue", "phase": "testing"}),
    "wrong_phase_2": ("phase-2", {"status": "continue", "phase": "testing"}),
    "test": ("test", {"status": "continue", "phase": "quality"}),
    "review": ("review", {"status": "continue"}),
    "cleanup": ("cleanup", {"status": "continue", "phase": "done"}),
    "summary": ("summary", {"status": "done", "summary": "tally has --min N."}),
}
"""Step -> the artifact's kind, and the signal."""


def play(step: str, session: Path, early: bool = False) -> None:
    """Play one step as this session's present iteration. `early`, while a state is made: stamps
    lie ten minutes apart and hours ago, so that a reader comes later."""
    told = json.loads((session / "_iteration.json").read_text())
    ago = timedelta(minutes=180 - 10 * told["iteration"])
    stamp = f"{datetime.now() - ago:%m-%d-%H:%M}" if early else told["stamp"]
    if "phase_" in step:
        build(step, session / told["approved_plan"])
    kind, signal = STEPS[step]
    name = f"{stamp}-{kind}-min.md" if kind else ""
    if kind:
        (session / name).write_text(text_of(kind))
    if step == "plan":
        signal = {**signal, "plan": name}
    if step == "ask":
        signal = {**signal, "questions": TALLY["questions"]}
    overview(session, str(signal.get("phase", told["phase"])), f"- {stamp} {step} {name}")
    temporary = session / "_signal.json.tmp"
    temporary.write_text(json.dumps(signal))
    temporary.rename(session / "_signal.json")


def build(step: str, plan: Path) -> None:
    """Carry out a phase of the plan: edits, commit, ticks."""
    phase = step[-1]
    edits: list[tuple[str, str, str]] = TALLY["edits"][step.removeprefix("wrong_")]
    fault: list[tuple[str, str, str]] = TALLY["edits"]["fault"] if "wrong" in step else []
    for name, old, new in [*edits, *fault]:
        path = Path(name)
        path.write_text(path.read_text().replace(old, new, 1))
    git("add", *{edit[0] for edit in edits})
    git("commit", "--quiet", "--message", f"Leave out short words, part {phase}")
    head, mark, tail = plan.read_text().partition(f"## Phase {phase}:")
    body, cut, rest = tail.partition("\n## ")
    plan.write_text(head + mark + body.replace("- [ ]", "- [x]") + cut + rest)


def text_of(kind: str) -> str:
    """A text of tally.toml, or a short report with the headings of the kind's form."""
    plain, head = kind.partition("-")[0], git("rev-parse", "--short", "HEAD").strip()
    if plain in TALLY["texts"]:
        return str(TALLY["texts"][plain]).replace("HASH", head)
    tests = "- `python -m unittest -q`: exit code 0, OK"
    lines = [f"{heading}\n{tests}" for heading in forms.headings(plain)[1:]]
    return "\n".join([f"# {kind}: leave out short words", f"Commit: {head}", *lines, tests, ""])


def overview(session: Path, phase: str, line: str) -> None:
    """The notebook, written anew, with its old log lines."""
    path = session / "_overview.md"
    log = [*re.findall(r"^- \d\d-\d\d-\d\d:\d\d .*", path.read_text(), re.M), line]
    files = [f"- {file.name}" for file in sorted(session.glob("[0-9]*.md"))]
    status = f"# work\n\n## Status\nPhase: {phase}\nNext: {phase}\n\n## Decisions\nas answered\n"
    path.write_text("\n".join([status, "## Flow log", *log, "\n## Files", *files, ""]))


def git(*args: str) -> str:
    """What git prints in the worktree."""
    return subprocess.run(["git", *args], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    play(sys.argv[1], Path(sys.argv[2]))
