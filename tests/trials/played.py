"""One played iteration, read back from its folder in `mail`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from tests.trials import forms
from tests.trials.trial import Trial

OWN = {"_overview.md", "_signal.json", "_qa.md"}  # looked at elsewhere
BROKEN_OFF = ("stopped", "interrupted")  # by the person who drives


class Artifact(NamedTuple):
    """A new file of the session folder with the agreed name; `number`: of the plan phase."""

    name: str
    stamp: str
    kind: str
    number: str
    text: str


@dataclass(frozen=True)
class Played:
    """An iteration that a reader has ended; `place` is 0 for the first one of its trial."""

    trial: Trial
    folder: Path
    place: int
    was: Mapping[str, Any]
    now: Mapping[str, Any]  # what snapshot.py saw when it began, and when it ended

    @property
    def before(self) -> Mapping[str, str]:
        return cast(Mapping[str, str], self.was["session"])

    @property
    def after(self) -> Mapping[str, str]:
        return cast(Mapping[str, str], self.now["session"])

    @property
    def told(self) -> Mapping[str, Any]:
        """`_iteration.json`."""
        return cast(Mapping[str, Any], json.loads(self.before["_iteration.json"]))

    @property
    def signal(self) -> Mapping[str, Any]:
        """Empty when there is none, or it is no JSON object."""
        try:
            found: object = json.loads(self.after.get("_signal.json", ""))
        except ValueError:
            return {}
        return cast(Mapping[str, Any], found) if isinstance(found, dict) else {}

    @property
    def phase(self) -> str:
        return str(self.told["phase"])

    @property
    def next(self) -> str:
        return str(self.signal.get("phase") or self.phase)

    @property
    def ending(self) -> str:
        """Such as "continue testing", "waiting qa_answers", "done"."""
        status = str(self.signal.get("status"))
        more = {"waiting": f" {self.signal.get('for')}", "continue": f" {self.next}"}
        return status + more.get(status, "")

    @property
    def asked(self) -> list[Mapping[str, Any]]:
        """The questions in its signal."""
        found = self.signal.get("questions")
        return cast(list[Mapping[str, Any]], found) if isinstance(found, list) else []

    @property
    def outcome(self) -> str:
        """As the loop recorded it; "" while it has not."""
        lines = self.trial.history("iteration")
        return next((str(ln["outcome"]) for ln in lines if ln["n"] == int(self.folder.name)), "")

    @property
    def new_files(self) -> list[str]:
        return sorted(self.after.keys() - self.before.keys() - OWN)

    @property
    def artifacts(self) -> list[Artifact]:
        found = [forms.ARTIFACT.fullmatch(name) for name in self.new_files]
        return [Artifact(m[0], m[1], m[2], m[3] or "", self.after[m[0]]) for m in found if m]

    @property
    def kinds(self) -> set[str]:
        return {artifact.kind for artifact in self.artifacts}

    @property
    def plan(self) -> tuple[str, str]:
        """The approved plan before and after; empty without approval."""
        name = str(self.told.get("approved_plan"))
        return self.before.get(name, ""), self.after.get(name, "")

    @property
    def commits(self) -> bool:
        return bool(self.was["code"]["head"] != self.now["code"]["head"])

    def effort(self) -> tuple[int, int]:
        """Shell calls, and the seconds that they ran in all (0 when a call has no end)."""
        path = self.folder / "calls"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        begun, ended = ([int(ln[1]) for ln in lines if ln[0] == what] for what in ("begin", "end"))
        return len(begun), max(0, sum(ended) - sum(begun))


def played(trial: Trial) -> list[Played]:
    """All iterations that are over, in order, less those that were broken off."""
    found: list[Played] = []
    for place, after in enumerate(sorted(trial.mail.glob("*/after.json"))):
        moments = (json.loads((after.parent / n).read_text()) for n in ("before.json", after.name))
        found.append(Played(trial, after.parent, place, *moments))
    return [it for it in found if it.outcome not in BROKEN_OFF]
