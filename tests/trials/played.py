"""One played iteration: what was seen when it began and when it ended."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from samocode.decide import signal as signals
from samocode.record import files
from tests.trials.forms import KINDS
from tests.trials.trial import Trial, git

OWN = {"_overview.md", "_signal.json"}  # no artifacts; looked at elsewhere
BROKEN_OFF = ("stopped", "interrupted")  # by the person who drives
OUTSIDE = ("home", "project", "origin.git", ".samocode")
PASSED_OVER = {
    *(".cache", ".local", ".npm", "__pycache__", ".pytest_cache", ".python_history"),
    *("index", "logs", "objects", "worktrees", "samocode"),  # git's own, the session's branch
}


class Seen(NamedTuple):
    """Everything at one moment; files are given with their text, or with a hash of it."""

    session: dict[str, str]
    head: str
    branch: str
    dirty: dict[str, str]  # by lines of git status
    outside: dict[str, str]  # what is no child's business: HOME, the project's git, the remote


def look(trial: Trial, into: Path) -> None:
    """Write down what there is now."""
    code, names = trial.worktree, [trial.folder / name for name in OUTSIDE]
    status = git(code, "status", "--porcelain", "-z", "-uall", "--no-renames").split("\0")[:-1]
    inside = [file for file in trial.session.iterdir() if file.is_file() and not file.is_symlink()]
    outside = {
        str(f.relative_to(trial.folder)): f for name in names for f in (name, *name.rglob("*"))
    }
    seen = Seen(
        session={file.name: file.read_text(errors="replace") for file in inside},
        head=git(code, "rev-parse", "HEAD").strip(),
        branch=git(code, "rev-parse", "--abbrev-ref", "HEAD").strip(),
        dirty={line: digest(code / line[3:]) for line in status},
        outside={
            name: digest(file)
            for name, file in outside.items()
            if file.is_file() and PASSED_OVER.isdisjoint(Path(name).parts)
        },
    )
    files.write(into, json.dumps(seen._asdict(), indent=1, sort_keys=True))


def digest(file: Path) -> str:
    """The sha256 of a file's bytes; of nothing when it is no file."""
    return hashlib.sha256(file.read_bytes() if file.is_file() else b"").hexdigest()


class Artifact(NamedTuple):
    """A new file that is named STAMP-kind-topic.md; `number`: of the plan phase, or None."""

    kind: str
    number: str | None
    name: str
    text: str


class Played:
    """An iteration that a reader has ended; `place` is 0 for the first one of its trial."""

    def __init__(self, trial: Trial, folder: Path, place: int) -> None:
        self.trial, self.folder, self.place = trial, folder, place
        texts = ((folder / name).read_text() for name in ("before.json", "after.json"))
        self.was, self.now = (Seen(**json.loads(text)) for text in texts)
        before, after = self.was.session, self.now.session
        self.told: Mapping[str, Any] = json.loads(before["_iteration.json"])
        self.phase = str(self.told["phase"])
        signal = signals.parse(after.get("_signal.json", "").encode())[0]
        self.signal = signal or signals.Signal("no signal")
        self.next = self.signal.phase or self.phase
        more = {"waiting": f" {self.signal.waits_for}", "continue": f" {self.next}"}
        self.ending = self.signal.status + more.get(self.signal.status, "")
        """Such as "continue testing", "waiting qa_answers", "done"."""
        ended = {line["n"]: str(line["outcome"]) for line in trial.history("iteration")}
        self.outcome = ended.get(int(folder.name), "")
        """As the loop recorded it; "" while it has not."""
        self.new_files = sorted(after.keys() - before.keys() - OWN)
        pattern = rf"{re.escape(self.told['stamp'])}-({'|'.join(KINDS)})(?:-(\d+))?-[a-z0-9.-]+\.md"
        named = [re.fullmatch(pattern, name) for name in self.new_files]
        self.artifacts = [Artifact(m[1], m[2], m[0], after[m[0]]) for m in named if m]
        self.kinds = {artifact.kind for artifact in self.artifacts}
        plan = str(self.told.get("approved_plan"))
        self.plan_before, self.plan = before.get(plan, ""), after.get(plan, "")
        """The approved plan; empty without approval."""
        calls = folder / "calls"
        self.calls = len(calls.read_text().splitlines()) if calls.exists() else 0


def played(trial: Trial) -> list[Played]:
    """All iterations that are over, in order, less those that were broken off."""
    over = sorted(trial.mail.glob("*/after.json"))
    found = [Played(trial, after.parent, place) for place, after in enumerate(over)]
    return [it for it in found if it.outcome not in BROKEN_OFF]
