"""What every test gets: a HOME of its own, no variable that leads to Claude, Telegram or git."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from samocode.git.repository import Repository
from tests.harness import Project
from tests.machine import bare, installed, machine
from tests.outer.stage import IDENTITY, git

__all__ = ["bare", "git", "installed", "machine", "own_home", "project", "repo"]

# A shell that starts the tests with `&` has them ignore Ctrl-C, and so would every loop they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine breaks hypothesis's 200 ms; the same examples each time, nothing written here.
settings.register_profile(
    "here",
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("here")

# The same list stands in tests/run, which clears these for the whole test run.
FOREIGN = ("CLAUDE", "ANTHROPIC", "AI_AGENT", "TELEGRAM_", "SAMOCODE_", "GIT_", "XDG_")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HOME in tmp_path; everything that is looked up from it points there."""
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
def repo(tmp_path: Path) -> Path:
    """A real git repository: branch main, one commit with a.py and a test of it."""
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "a.py").write_text("def double(number: int) -> int:\n    return number * 2\n")
    (folder / "test_a.py").write_text(
        "import unittest\n\nfrom a import double\n\n\n"
        "class DoubleTest(unittest.TestCase):\n"
        "    def test_double(self) -> None:\n        self.assertEqual(double(2), 4)\n"
    )
    (folder / ".gitignore").write_text("__pycache__/\n")
    git("init", "--quiet", "--initial-branch=main", cwd=folder)
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "--message=Start", cwd=folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, repo: Path) -> Project:
    """A project around the small repository, driven as a person would."""
    return Project(tmp_path, repo)
