"""Sessions with the real loop, the real CLI and a script in place of the model.

SAMOCODE_KEEP=FOLDER in the environment of pytest keeps a copy of every session folder there.
"""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.outer.stage import Stage
from tests.real.cli import clean_env
from tests.replies import Tool, bash
from tests.script import Request, iteration_on_disk

NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens
NO_RETRY = {"CLAUDE_CODE_MAX_RETRIES": "0"}  # the CLI's own retries; the loop has its own
KEEP = os.environ.get("SAMOCODE_KEEP")  # read at import: conftest.py clears it for the tests

Event = dict[str, Any]
Login = Callable[[Mapping[str, str]], dict[str, str]]
KEY = {"env": {"ANTHROPIC_API_KEY": "sk-from-settings"}}
NO_BYPASS = {"permissions": {"disableBypassPermissionsMode": "disable"}}


@dataclass(kw_only=True)
class RealProject(Stage):
    """A project whose children are the real CLI."""

    claude: Path
    api: str = NOWHERE
    login: Login = dict
    """Changes an environment with an API key to one with another login."""

    @property
    def environ(self) -> dict[str, str]:
        """A new environment with loopback, a dummy key, and its own HOME and git identity.

        MAIN reads the .env of the clone. A bot that is set there must not send messages.
        """
        git = {"GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"}
        loops = {"CLAUDE_PATH": str(self.claude), "TELEGRAM_API_URL": NOWHERE}
        return self.login(clean_env(self.folder / "home", self.api) | git | loops | self.extra)

    def settings(self, value: object) -> Path:
        """Write claude's settings.json of the user, and return its folder."""
        home = self.folder / "home/.claude"
        home.mkdir(parents=True)
        (home / "settings.json").write_text(json.dumps(value))
        return home

    def iteration(self) -> int:
        """The number of the iteration that was started last."""
        return iteration_on_disk(self.folder / "sessions", self.name)()

    def events(self, number: int) -> list[Event]:
        """What the CLI printed in an iteration."""
        (log,) = (self.session / "_logs").glob(f"{number:03d}-*.jsonl")
        return [json.loads(line) for line in log.read_text().splitlines()]


@contextmanager
def real_project(folder: Path, claude: Path, name: str) -> Generator[RealProject]:
    """A project for the test `name`. At the end its processes are ended, and it is copied to
    SAMOCODE_KEEP if that is set."""
    project = RealProject(folder, claude=claude, fast=True)
    project.with_git()
    try:
        yield project
    finally:
        project.close()
        if KEEP and project.has_history():
            kept = Path(KEEP, re.sub(r"\W+", "-", name))
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(project.session, kept, symlinks=True)


def prompt_of(request: Request) -> str:
    """The text of the first message, which is the loop's prompt."""
    content = request["messages"][0]["content"]
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def session_of(request: Request) -> Path:
    """The session folder that the prompt names."""
    found = re.search(r"^Session folder: (.+)$", prompt_of(request), re.M)
    assert found, "the prompt does not name the session folder"
    return Path(found[1])


# Actions of a scripted child.


def signal(status: str, **more: object) -> Tool:
    """Write a signal atomically. Pass its key `for` as `wait`, since `for` is a keyword."""
    given = {"for" if key == "wait" else key: value for key, value in more.items()}
    text = shlex.quote(json.dumps({"status": status, **given}))
    made = f'printf %s {text} > "$SAMOCODE_RUN/_signal.json.tmp"'
    return bash(f'{made} && mv "$SAMOCODE_RUN/_signal.json.tmp" "$SAMOCODE_RUN/_signal.json"')


def artifact(name: str, text: str) -> Tool:
    """Write a document into the session folder."""
    return bash(f'printf %s {shlex.quote(text)} > "$SAMOCODE_RUN"/{name}')
