"""A scenario: its project, the human's words and answers, and what must come of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from samocode.record.state import Question

HERE = Path(__file__).resolve().parent
TALLY: Mapping[str, Any] = tomllib.loads((HERE / "tally.toml").read_text())
DOWNLOAD = """
"$0" -m pip download --quiet --no-binary :all: --no-deps --dest ../download "$1"
tar -xf ../download/*.tar.gz --strip-components=1 --no-same-owner --exclude="*.egg-info"
rm -r ../download
"""
REPOSITORY = """
git init --quiet --initial-branch=main
git add .
git commit --quiet --message=Import
git init --quiet --bare "$PWD/../origin.git"
git remote add origin "$PWD/../origin.git"
git push --quiet origin main
"""
NOTHING: Mapping[str, str] = MappingProxyType({})


class Scenario(NamedTuple):
    """A table of scenarios.toml; the keys there are these fields."""

    about: str
    task: str = "Give tally an option that leaves out words shorter than a given length."
    dive: str = ""
    package: str = ""  # a pinned source package from PyPI; empty: the project of tally.toml
    library: str = ""  # a module of Python's standard library that is copied into the project
    readme: str = ""  # text added to the project's README
    hidden: str = ""  # tests that no reader sees; run at the end of a finished session
    steps: Sequence[str] = ()  # what the scripted reader plays before the first real one
    given: Mapping[str, str] = NOTHING  # number -> answer to its last questions
    overview: str = ""  # what then stands in place of _overview.md
    answers: Mapping[str, str] = NOTHING  # pattern in a question -> the human's answer
    turn: str = ""  # added to the first answer of the session: it changes the direction
    refusals: Sequence[str] = ()  # what the human wants changed in the first plan, the second, ...
    iterations: int = 1  # how many readers play; 0: until the session ends
    expect: Sequence[str] = ()  # patterns for the endings, as in `Played.ending`, in order
    mentions: Sequence[str] = ()  # patterns that the first iteration's files must hold
    calls: int = 0  # shell calls that an iteration may take; 0: any number

    def says(self, question: Question, said: Sequence[str]) -> str:
        """The human's answer: one that was not `said` yet, else the suggestion, else a yes."""
        if question.kind == "approval":
            return next((words for words in self.refusals if words not in said), "yes")
        words = question.suggested or "You decide"
        text = " ".join((question.title, question.why, *question.options))
        for pattern, answer in self.answers.items():
            if answer not in said and re.search(pattern, text, re.I):
                words = answer
        return words if said or not self.turn else f"{words}. {self.turn}"

    def make_project(self, place: Path, environ: Mapping[str, str]) -> None:
        """A repository on branch main with one commit, and a remote beside it."""
        place.mkdir(exist_ok=True)
        if self.package:
            command = ["sh", "-ec", DOWNLOAD, sys.executable, self.package]
            subprocess.run(command, cwd=place, check=True)
        else:
            files = tally(0)
            files["README.md"] += self.readme
            for name, text in files.items():
                (place / name).write_text(text)
        if self.library:
            shutil.copy(Path(sysconfig.get_path("stdlib"), self.library), place)
        subprocess.run(["sh", "-ec", REPOSITORY], cwd=place, env=environ, check=True)


def tally(phase: int) -> dict[str, str]:
    """The files of tally.toml's project after a phase of its plan; 0: as it is at first."""
    files, later = TALLY["files"].items(), re.compile(rf"^[{phase + 1}-9]\|.*\n", re.M)
    return {name: re.sub(r"^\d\|", "", later.sub("", text), flags=re.M) for name, text in files}


TABLES = tomllib.loads((HERE / "scenarios.toml").read_text()).items()
SCENARIOS = {name: Scenario(**table) for name, table in TABLES}
