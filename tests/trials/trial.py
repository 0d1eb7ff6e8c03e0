"""One trial on disk: its folder, its environment, and its loop in the background."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from samocode.record.history import FILE, History
from tests.outer.stage import Stage
from tests.trials.scenario import SCENARIOS

HERE = Path(__file__).resolve().parent
IN_BACKGROUND = 'echo $$ >group; (trap : TERM; "$@"; echo $? >exit.tmp; mv exit.tmp exit) &'


class Trial(Stage):
    """The tests' project, cut off from whoever runs the trial, and the hand-overs in `mail`."""

    def __init__(self, folder: Path) -> None:
        home = folder / "home"
        environ = {
            "HOME": str(home),
            "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
            "CLAUDE_CONFIG_DIR": str(home / ".claude"),
            "CLAUDE_TIMEOUT": "7200",
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "FAKE_INIT_GRACE": "60",
            "FAKE_TERM_GRACE": "5",
            "TRIAL": str(folder),
        }
        super().__init__(folder, environ, fast=True)
        self.mail = folder / "mail"
        self.scenario = SCENARIOS[(folder / "scenario").read_text()]

    @property
    def repo(self) -> Path:
        """The scenario's project."""
        return self.folder / "project"

    def options(self, most: int) -> list[str]:
        """The loop's flags. `most`: iterations, 0 for any number."""
        limit = ["--max-iterations", str(most)] if most else []
        begun, wanted = self.history("iteration"), self.scenario
        task = [] if begun else ["--task", wanted.task.strip()]
        dive = [] if begun or not wanted.dive else ["--dive", wanted.dive]
        return ["--on-wait", "exit", *limit, *task, *dive]

    def run_in_background(self, most: int) -> None:
        """Start the loop: output in `log`, exit code in `exit`."""
        (self.folder / "exit").unlink(missing_ok=True)
        command = ["sh", "-c", IN_BACKGROUND, "sh", *self.command(*self.options(most))]
        with (self.folder / "log").open("ab") as log:
            subprocess.run(
                command, env=self.environ, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, check=True,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        return (self.folder / "group").exists() and self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """The loop's; None while it runs, and before it ever ran."""
        path = self.folder / "exit"
        return int(path.read_text()) if path.exists() else None

    def stop(self) -> None:
        if self.running:  # the shell around the loop outlives this, and writes `exit`
            os.killpg(int((self.folder / "group").read_text()), signal.SIGTERM)

    def wait(self, seconds: float) -> Path | None:
        """The hand-over that waits for its reader; None when the loop ends first, or time is up."""
        until = time.monotonic() + seconds
        while True:
            briefs = [brief.parent for brief in sorted(self.mail.glob("*/brief.md"))]
            waiting = [here for here in briefs if not (here / "after.json").exists()]
            if waiting or not self.running or time.monotonic() > until:
                return waiting[0] if waiting else None
            time.sleep(0.1)

    def answer_all(self) -> None:
        """The scripted human's answers to all that is open."""
        state = History(self.session / FILE).load(repair=False).state
        said = [answer.text for answer in state.answers.values()]
        for question in state.open:
            said.append(self.scenario.says(question, said))
            self.answer(question.id, said[-1])
            print(f"Q{question.id}: {question.title}\n    {said[-1]}")


def git(place: Path, *args: str) -> str:
    """What git prints, without hooks and locks."""
    command = ["git", "--no-optional-locks", "-c", "core.hooksPath=/dev/null", *args]
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, errors="replace", check=True
    )
    return done.stdout
