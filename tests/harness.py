"""A session on a real repository, driven by the real loop and a stand-in child; used by the tests
of the loop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.outer import speech
from tests.outer.speech import wait_for

__all__ = ["FAKE", "LOOP", "ROOT", "Project", "end", "wait_for"]

ROOT = Path(__file__).resolve().parent.parent
LOOP = ROOT / "tests" / "outer" / "speech.py"
FAKE = ROOT / "tests" / "outer" / "stub"


@dataclass
class Project:
    """A folder with a repository, a `.samocode`, and a script for the stand-in child."""

    folder: Path
    repo: Path
    extra: dict[str, str] = field(default_factory=dict)
    """More environment for the loop."""
    name: str = "work"
    program: Path = LOOP
    """The loop with a faster clock, or a main.py."""

    def __post_init__(self) -> None:
        self.steps.mkdir(exist_ok=True)
        if not self.config.exists():
            self.configure()

    @property
    def config(self) -> Path:
        """The project's settings file."""
        return self.folder / ".samocode"

    @property
    def steps(self) -> Path:
        """What the stand-in child does, one file per iteration."""
        return self.folder / "steps"

    @property
    def session(self) -> Path:
        """The session folder; there must be exactly one."""
        (found,) = (self.folder / "sessions").glob(f"*-{self.name}")
        return found

    @property
    def worktree(self) -> Path:
        """The session's worktree."""
        return self.folder / "worktrees" / self.session.name

    def configure(self, **keys: str) -> None:
        """Write `.samocode` with the three required keys and these."""
        values = {"MAIN_REPO": str(self.repo), "WORKTREES": "worktrees", "SESSIONS": "sessions"}
        lines = [f"{key}='{value}'" for key, value in (values | keys).items()]
        self.config.write_text("\n".join(lines) + "\n")

    def script(
        self, *steps: str, default: str = "signal('blocked', reason='no more steps')"
    ) -> None:
        """What the child does in iterations 1, 2, ... and in any later one."""
        for number, step in enumerate(steps, 1):
            (self.steps / f"{number}.py").write_text(step)
        (self.steps / "default.py").write_text(default)

    def environ(self) -> dict[str, str]:
        """From scratch: nothing of whoever runs the tests but PATH and what conftest made."""
        kept = ("PATH", "HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "CLAUDE_CONFIG_DIR")
        base = {name: os.environ[name] for name in kept if name in os.environ}
        fakes = {"STUB_STEPS": str(self.steps), "CLAUDE_PATH": str(FAKE), "IS_SANDBOX": "1"}
        local = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "LANG": "C.UTF-8"}
        return base | fakes | local | self.extra

    def command(self, *args: str) -> list[str]:
        """The loop's command line."""
        session = ["--config", str(self.config), "--session", self.name]
        return [sys.executable, str(self.program), *session, *args]

    def run(
        self, *args: str, timeout: float = 60, task: str | None = None, before: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run the loop to its end, without a terminal; `before` is a launcher."""
        given = ("--task", task) if task else ()
        return subprocess.run(
            [*before, *self.command(*given, *args)], env=self.environ(), cwd=self.folder,
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout, check=False,
        )  # fmt: skip

    def start(
        self, *args: str, task: str | None = None, before: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start the loop and leave it running."""
        given = ("--task", task) if task else ()
        return subprocess.Popen(
            [*before, *self.command(*given, *args)], env=self.environ(), cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def history(self, event: str | None = None) -> list[Mapping[str, Any]]:
        """The history's lines, of one event or all; none while there is no session."""
        if not list((self.folder / "sessions").glob(f"*-{self.name}")):
            return []
        if event != "asked":
            return speech.history(self.session, event)
        found = speech.history(self.session)  # a child's questions are in the line of its iteration
        own = [[line] if line["event"] == "asked" else line.get("asked", ()) for line in found]
        return [question for questions in own for question in questions]

    def outcomes(self) -> list[str]:
        """How each iteration ended."""
        return [line["outcome"] for line in self.history("iteration")]

    def answer(self, number: int, text: str) -> None:
        """Answer a question as a person with an editor does."""
        speech.answer(self.session, number, text)

    def seen(self, iteration: int) -> Any:
        """[argv, environment, working directory] of the child in an iteration."""
        (found,) = self.steps.glob(f"run-{iteration:03d}-*.json")
        run = json.loads(found.read_text())
        return [run["argv"], run["environ"], run["cwd"]]


def end(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> str:
    """Send a signal to the loop and return what it printed until its end."""
    process.send_signal(number)
    return process.communicate(timeout=30)[0]
