"""One trial on disk: where its things lie, its loop, and the questions of its session."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samocode.pages import questions
from samocode.record import files
from samocode.record.history import History

ROOT = Path(__file__).resolve().parents[1]
NAME = "work"
IDENTITY = """[user]
	name = Robin
	email = robin@example.invalid
[init]
	defaultBranch = main
[advice]
	detachedHead = false
"""


KEEPER = """
import os, subprocess, sys, pathlib
folder = pathlib.Path(sys.argv[1])
if os.fork():
    sys.exit()
os.setsid()
loop = subprocess.Popen(sys.argv[2:])
(folder / "keeper.pid").write_text(str(os.getpid()))
(folder / "loop.tmp").write_text(str(loop.pid))
(folder / "loop.tmp").rename(folder / "loop.pid")
(folder / "loop.exit").write_text(str(loop.wait()))
"""
"""Outlives whoever starts the loop, and notes how it ends."""


def enter(environ: Mapping[str, str], cwd: Path) -> str:
    """The text of enter.sh: a reader's shell gets this environment and goes there."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environ.items()]
    return "\n".join([*exports, f"cd {shlex.quote(str(cwd))}", ""])


def link_commands(home: Path) -> None:
    """As install.sh links them into a HOME."""
    commands = home / ".claude" / "commands"
    commands.mkdir(parents=True, exist_ok=True)
    for file in (ROOT / "commands").glob("*.md"):
        (commands / file.name).symlink_to(file)


@dataclass(frozen=True)
class Trial:
    """The folder of one trial."""

    folder: Path

    @property
    def mail(self) -> Path:
        """One folder per iteration that a reader plays."""
        return self.folder / "mail"

    @property
    def facts(self) -> Mapping[str, Any]:
        """What `start` wrote down: scenario, python, timeout, deadline."""
        found: dict[str, Any] = json.loads((self.folder / "trial.json").read_text())
        return found

    @property
    def session(self) -> Path:
        """The session folder; there is exactly one."""
        (found,) = (self.folder / "sessions").glob(f"*-{NAME}")
        return found

    @property
    def worktree(self) -> Path:
        """Where the child works."""
        return self.folder / "worktrees" / self.session.name

    @property
    def history(self) -> list[Mapping[str, Any]]:
        """The lines of the record."""
        lines = (self.session / "_history.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def environ(self, **more: str) -> dict[str, str]:
        """From scratch, as a person's shell would have it; nothing of whoever runs the trial."""
        python = str(Path(self.facts["python"]).parent)
        return {
            "HOME": str(self.folder / "home"),
            "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "CLAUDE_CONFIG_DIR": str(self.folder / "home" / ".claude"),
            "CLAUDE_PATH": str(ROOT / "trials" / "claude"),
            "CLAUDE_TIMEOUT": str(self.facts["timeout"]),
            "IS_SANDBOX": "1",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TRIAL_MAILBOX": str(self.mail),
        } | more

    def command(self, *more: str, loop: Path = ROOT / "main.py") -> list[str]:
        """The loop's command line."""
        python, config = self.facts["python"], str(self.folder / ".samocode")
        end = ["--config", config, "--session", NAME, "--on-wait", "exit", *more]
        return [python, str(loop), *end]

    def run(self) -> int:
        """Start the loop in the background; its output goes to loop.log, its end to loop.exit."""
        for name in ("loop.exit", "loop.pid"):
            (self.folder / name).unlink(missing_ok=True)
        words = [] if self.started else [f for w in self._words() for f in w]
        left = self.facts["iterations"] - len(list(self.mail.iterdir()))
        most = ["--max-iterations", str(left)] if self.facts["iterations"] else []
        command = [sys.executable, "-c", KEEPER, str(self.folder), *self.command(*most, *words)]
        with (self.folder / "loop.log").open("ab") as log:
            subprocess.run(
                command,
                env=self.environ(),
                cwd=self.folder / "project",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
            )
        while not (self.folder / "loop.pid").exists():
            time.sleep(0.02)
        return int((self.folder / "loop.pid").read_text())

    @property
    def over(self) -> bool:
        """Whether all iterations that the scenario wants were played."""
        wanted = self.facts["iterations"]
        return bool(wanted and len(list(self.mail.glob("*/finished"))) >= wanted)

    @property
    def started(self) -> bool:
        """Whether the session exists."""
        return bool(list((self.folder / "sessions").glob(f"*-{NAME}")))

    @property
    def running(self) -> bool:
        """Whether its loop runs."""
        path = self.folder / "keeper.pid"
        if (self.folder / "loop.exit").exists() or not path.exists():
            return False
        try:
            os.kill(int(path.read_text()), 0)
        except ProcessLookupError:
            return False
        return True

    def handed_over(self) -> Path | None:
        """The hand-over that waits for its reader to finish, None when there is none."""
        for folder in sorted(self.mail.glob("[0-9][0-9][0-9]")):
            ended = (folder / "finished").exists() or (folder / "ended").exists()
            if (folder / "brief.md").exists() and not ended:
                return folder
        return None

    def open_questions(self) -> list[questions.Question]:
        """The questions on record that have no answer on record, as they stand in the file."""
        state = History(self.session / "_history.jsonl").load(repair=False).state
        document = questions.parse(files.read_text(self.session / "_qa.md") or "")
        return [q for n in (a.id for a in state.open) if (q := document.find(n)) is not None]

    def answer(self, number: int, text: str) -> None:
        """Write the human's words after `Answer:` as a person with an editor does."""
        path = self.session / "_qa.md"
        document = questions.parse(files.read_text(path) or "")
        blocks = tuple(
            questions.answered(q, text) if q.id == number else q for q in document.questions
        )
        files.write(path, questions.Document(document.preamble, blocks).text())
        with (self.folder / "answers.jsonl").open("a") as told:
            told.write(json.dumps({"id": number, "text": text}) + "\n")

    def _words(self) -> list[tuple[str, str]]:
        return [(f"--{kind}", self.facts[kind]) for kind in ("dive", "task") if self.facts[kind]]
