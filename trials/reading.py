"""One played iteration, read back from its folder in the mailbox."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from samocode.pages import questions
from samocode.record import untrusted
from trials.scenario import Scenario
from trials.trial import Trial

ARTIFACT = re.compile(r"(\d\d-\d\d-\d\d:\d\d)-([a-z]+(?:-\d+)?)-([a-z0-9][a-z0-9.-]*)\.md")
STAMP = len("01-08-11:00")
OWN = frozenset({"_overview.md", "_qa.md", "_signal.json"})
"""What a child writes besides its artifacts."""
BOX = re.compile(r"^\s*[-*] \[([ xX])\]", re.M)


@dataclass(frozen=True)
class Artifact:
    """A new file of the session folder whose name has the agreed form."""

    name: str
    stamp: str
    kind: str
    """dive, phase-2 (number kept), solution, ..."""
    text: str


@dataclass(frozen=True)
class Played:
    """A hand-over that is over."""

    trial: Trial
    scenario: Scenario
    folder: Path
    first: bool
    """The first iteration that a reader played to its end in this trial."""

    @property
    def number(self) -> int:
        """The iteration's."""
        return int(self.folder.name)

    @property
    def broken_off(self) -> bool:
        """Whether the driver stopped the loop in the middle of it."""
        return self.outcome in ("stopped", "interrupted")

    @cached_property
    def told(self) -> Mapping[str, Any]:
        """`_iteration.json`."""
        found: dict[str, Any] = json.loads(self.before["_iteration.json"])
        return found

    @property
    def phase(self) -> str:
        """The phase of record."""
        return str(self.told["phase"])

    @cached_property
    def before(self) -> Mapping[str, str]:
        """The session's files when the child began."""
        return _texts(self.folder / "before")

    @cached_property
    def after(self) -> Mapping[str, str]:
        """The same when it ended."""
        return _texts(self.folder / "after")

    @cached_property
    def facts(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What snapshot.py wrote before and after."""
        a, b = (json.loads((self.folder / f"{k}.json").read_text()) for k in ("before", "after"))
        return a, b

    @cached_property
    def signal(self) -> Mapping[str, Any]:
        """The signal it left, empty when there is none or it is no JSON object."""
        return untrusted.mapping(untrusted.parse(self.after.get("_signal.json")))

    @property
    def status(self) -> str:
        """The signal's."""
        return str(self.signal.get("status"))

    @property
    def next(self) -> str:
        """The phase that the signal leads to."""
        return str(self.signal.get("phase") or self.phase)

    @property
    def sent_back(self) -> list[str]:
        """What the Stop hook said."""
        return [file.read_text() for file in sorted(self.folder.glob("hook-*.txt"))]

    @property
    def outcome(self) -> str:
        """As the loop has it on record; empty while it has not."""
        lines = self.trial.history
        mine = [ln for ln in lines if ln["event"] == "iteration" and ln["n"] == self.number]
        return str(mine[0]["outcome"]) if mine else ""

    @cached_property
    def new_files(self) -> list[str]:
        """Files of the session folder that were not there before."""
        return sorted(self.after.keys() - self.before.keys() - OWN)

    @cached_property
    def artifacts(self) -> list[Artifact]:
        """Those of them whose name has the agreed form."""
        found = [(name, ARTIFACT.fullmatch(name)) for name in self.new_files]
        return [Artifact(n, m[1], m[2], self.after[n]) for n, m in found if m]

    @property
    def kinds(self) -> set[str]:
        """Kinds of the new artifacts, without a phase's number."""
        return {re.sub(r"-\d+$", "", a.kind) for a in self.artifacts}

    @cached_property
    def asked(self) -> tuple[questions.Document, questions.Document]:
        """`_qa.md` before and after."""
        a, b = (questions.parse(texts.get("_qa.md", "")) for texts in (self.before, self.after))
        return a, b

    @property
    def new_questions(self) -> list[questions.Question]:
        """Questions that it asked."""
        old, now = self.asked
        known = {q.id for q in old.questions}
        return [q for q in now.questions if q.id not in known]

    @property
    def plan(self) -> tuple[str, str] | None:
        """The approved plan before and after, None without approval."""
        name = self.told.get("approved_plan")
        return (self.before.get(name, ""), self.after.get(name, "")) if name else None

    @property
    def heads(self) -> tuple[str, str]:
        """HEAD before and after."""
        a, b = self.facts
        return a["code"]["head"], b["code"]["head"]

    def had(self, kind: str) -> bool:
        """Whether an artifact of this kind was there before, newer than the approved plan."""
        plan = str(self.told.get("approved_plan") or "")[:STAMP]
        found = [m for n in self.before if (m := ARTIFACT.fullmatch(n)) and m[2] == kind]
        return any(m[1] >= plan for m in found)

    def git(self, *args: str) -> str:
        """What git prints in the worktree, now."""
        command = ["git", "--no-optional-locks", *args]
        where = self.trial.worktree
        return subprocess.run(
            command, cwd=where, capture_output=True, text=True, check=False
        ).stdout

    def words(self) -> Iterator[tuple[str, str]]:
        """(file, text) of everything that it wrote into the session folder."""
        for name, text in self.after.items():
            if text != self.before.get(name):
                yield name, text


def played(trial: Trial, scenario: Scenario) -> list[Played]:
    """The iterations that are over, in order."""
    over = [f for f in sorted(trial.mail.glob("[0-9][0-9][0-9]")) if (f / "after.json").exists()]
    found = [Played(trial, scenario, folder, first=False) for folder in over]
    whole = [it for it in found if not it.broken_off]
    return [replace(it, first=bool(whole) and it is whole[0]) for it in found]


def phases(plan: str) -> list[tuple[str, str]]:
    """(number, text) of each phase of a plan."""
    parts = re.split(
        r"^## Phase (\d+)\b.*$", re.split(r"^## Notes\b", plan, flags=re.M)[0], flags=re.M
    )
    return list(zip(parts[1::2], parts[2::2], strict=True))


def ticks(plan: str) -> dict[str, list[bool]]:
    """Per phase its boxes, ticked or not."""
    return {number: [b != " " for b in BOX.findall(text)] for number, text in phases(plan)}


def notes(plan: str) -> str:
    """What stands under Notes."""
    return plan.partition("\n## Notes")[2].partition("\n")[2].strip()


def _texts(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text(errors="replace") for file in sorted(folder.iterdir())}
