"""One trial on disk: its folder, its environment, its loop and the questions of its session.

What is known of the loop's side is here: its flags and exit codes, the form of `_qa.md`, and two
events of `_history.jsonl` (iteration: n, outcome; answer: id, text, by).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.trials import scenario

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "trials"
NAME = "work"
IDENTITY = "[user]\n\tname = Robin\n\temail = robin@example.invalid\n"
IN_BACKGROUND = 'echo $$ >group; (trap : TERM; "$@"; echo $? >exit.tmp; mv exit.tmp exit) &'
QUESTION = re.compile(r"^## Q(\d+): (.*)\n((?:(?!## Q\d).*\n?)*)", re.M)


@dataclass(frozen=True)
class Trial:
    """The folder of one trial."""

    folder: Path

    @cached_property
    def scenario(self) -> scenario.Scenario:
        return scenario.load((self.folder / "scenario").read_text())

    @property
    def mail(self) -> Path:
        return self.folder / "mail"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def session(self) -> Path:
        (found,) = (self.folder / "sessions").glob(f"*-{NAME}")
        return found

    @property
    def worktree(self) -> Path:
        return self.folder / "worktrees" / self.session.name

    def history(self, event: str) -> list[Mapping[str, Any]]:
        """The history's lines of one event; none before the session exists."""
        if not list((self.folder / "sessions").glob(f"*-{NAME}")):
            return []
        lines = map(json.loads, (self.session / "_history.jsonl").read_text().splitlines())
        return [line for line in lines if line["event"] == event]

    def environ(self) -> dict[str, str]:
        """From scratch: nothing of whoever runs the trial, and no way to a model."""
        home = self.folder / "home"
        return {
            "HOME": str(home), "LANG": "C.UTF-8", "IS_SANDBOX": "1", "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "CLAUDE_CONFIG_DIR": str(home / ".claude"),
            "CLAUDE_PATH": str(HERE / "bridge.py"),
            "CLAUDE_TIMEOUT": "7200",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",  # nobody listens there
            "TRIAL": str(self.folder),
        }  # fmt: skip

    def start(self, most: int = 0) -> None:
        """Start main.py in the background: output in `log`, exit code in `exit`. `most`:
        iterations, 0 for as many as it likes."""
        (self.folder / "exit").unlink(missing_ok=True)
        words = [] if self.history("iteration") else ["--task", self.scenario.task.strip()]
        if words and self.scenario.dive:
            words += ["--dive", self.scenario.dive]
        limit = ["--max-iterations", str(most)] if most else []
        loop = [sys.executable, str(ROOT / "main.py"), "--config", str(self.folder / ".samocode")]
        loop += ["--session", NAME, "--on-wait", "exit", *limit, *words]
        with (self.folder / "log").open("ab") as log:
            subprocess.run(
                ["sh", "-c", IN_BACKGROUND, "sh", *loop], env=self.environ(), cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                check=True,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        return (self.folder / "group").exists() and not (self.folder / "exit").exists()

    def wait(self, seconds: float) -> None:
        """Until the loop ends or a reader is wanted; `seconds` at most."""
        until = time.monotonic() + seconds
        while self.running and self.handed_over() is None and time.monotonic() < until:
            time.sleep(0.1)

    def stop(self) -> None:
        if self.running:  # the shell around the loop outlives this, and writes `exit`
            os.killpg(int((self.folder / "group").read_text()), signal.SIGTERM)

    @property
    def exit_code(self) -> int | None:
        """The loop's; None while it runs, and before it ever ran."""
        path = self.folder / "exit"
        return int(path.read_text()) if path.exists() else None

    def handed_over(self) -> Path | None:
        """The folder in `mail` whose reader has not ended yet."""
        for folder in sorted(self.mail.iterdir()):
            if (folder / "brief.md").exists() and not (folder / "after.json").exists():
                return folder
        return None

    def questions(self) -> list[tuple[int, str, str]]:
        """(number, title, the rest) of every question in `_qa.md`."""
        path = self.session / "_qa.md"
        text = path.read_text() if path.exists() else ""
        return [(int(number), title, rest) for number, title, rest in QUESTION.findall(text)]

    def answer(self, number: int, words: str) -> None:
        """Write the human's words after `Answer:`, as an editor does, and for the grader."""
        path = self.session / "_qa.md"
        head, mark, tail = path.read_text().partition(f"## Q{number}:")
        before, label, after = tail.partition("\nAnswer:")
        temporary = path.with_name("human.tmp")
        temporary.write_text(f"{head}{mark}{before}{label} {words}{after}")
        temporary.rename(path)
        with (self.folder / "said").open("a") as said:
            said.write(json.dumps([number, words]) + "\n")

    def answer_all(self) -> None:
        """The scripted human's answers to all that is open."""
        plans = sum(title.startswith("Approve the plan") for _, title, _ in self.questions())
        for number, title, text in self.questions():
            if not text.rpartition("Answer:")[2].strip():
                said = [words for _, words in self.said()]
                words = self.scenario.says(title, text, said, plans - 1)
                self.answer(number, words)
                print(f"Q{number}: {title}\n    {words}")

    def said(self) -> list[tuple[int, str]]:
        """Every answer of the scripted human: (number, words)."""
        path = self.folder / "said"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(number, words) for number, words in map(json.loads, lines)]


def shell(environ: Mapping[str, str], cwd: Path, calls: Path) -> str:
    """Text for a reader's `enter.sh`: environment, working directory, and a line in `calls` at the
    begin and the end of every shell call."""
    forget = "unset $(env | grep -Eo '^(CLAUDE|ANTHROPIC|TELEGRAM|SAMOCODE)[A-Z_]*')"
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environ.items()]
    lines = f"""cd {shlex.quote(str(cwd))}
echo "begin $(date +%s)" >>"{calls}"
trap 'echo "end $(date +%s)" >>"{calls}"' EXIT
"""
    return "\n".join([forget, *exports, lines])
