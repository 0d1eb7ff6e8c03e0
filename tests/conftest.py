"""Fixtures. Every test gets its own HOME, and no variables of Claude, Telegram or git."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from samocode.git.repository import Repository
from tests.machine import bare, installed, machine
from tests.outer.stage import IDENTITY, Stage, git, make_repo
from tests.place import Place, made

__all__ = ["bare", "git", "installed", "machine", "own_home", "repo"]

# Tests that a shell starts with `&` ignore SIGINT, and tests under nohup ignore SIGHUP. Every loop
# would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No deadline, since a busy machine exceeds 200 ms. The same examples each time, and no database.
settings.register_profile(
    "here",
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("here")

# tests/run has the same list, and clears these variables for the whole test run.
FOREIGN = ("CLAUDE", "ANTHROPIC", "AI_AGENT", "TELEGRAM_", "SAMOCODE_", "GIT_", "XDG_")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HOME in tmp_path. The variables that override it point there, too."""
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    identity = tmp_path / "gitconfig"
    identity.write_text(IDENTITY)
    for name, value in {
        "HOME": home,
        "CLAUDE_CONFIG_DIR": home / ".claude",
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_DATA_HOME": home / ".local/share",
        "XDG_STATE_HOME": home / ".local/state",
        "GIT_CONFIG_GLOBAL": identity,
        "GIT_CONFIG_NOSYSTEM": "1",
    }.items():
        monkeypatch.setenv(name, str(value))
    return home


def around(folder: Path) -> Repository | None:
    """The repository around a folder, as main.py finds it."""
    return Repository.find(folder, os.environ)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A project's folder in which Settings finds no problem."""
    folder = tmp_path.resolve() / "a place"
    folder.mkdir()
    return made(folder)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A real git repository: branch main, one commit with a.py and a test of it."""
    make_repo(tmp_path / "repo")
    return tmp_path / "repo"


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Stage]:
    """A project with a small repository and a fast clock. All its processes are ended."""
    made = Stage(tmp_path / "project", fast=True).with_git()
    yield made
    made.close()


@pytest.fixture
def stage(quick: Stage) -> Stage:
    """In tests/outer it has the real clock."""
    return quick
