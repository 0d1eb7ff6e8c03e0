"""The demo, played by main.py as ./install.sh --demo starts it."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from samocode.demo import prepare
from tests.outer.stage import ROOT, git

ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # standard input becomes the controlling terminal
os.execv(sys.argv[1], sys.argv[1:])
"""


def run(*command: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it with PATH and nothing else of the environment."""
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env={"PATH": os.environ["PATH"]} | env,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of this clone without its .git and what git ignores."""
    to = tmp_path / "the clone"
    for name in git("ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


def slug(repo: Path, call: str) -> str:
    """The last line that a call of the demo's library prints, an exception included."""
    done = run(sys.executable, "-c", f"from links import slugify\nprint({call})", cwd=repo)
    return (done.stdout + done.stderr).strip().splitlines()[-1]


def test_the_whole_demo_without_a_terminal(clone: Path, tmp_path: Path) -> None:
    """From the dive to done. HOME stays empty, and the printed commands work."""
    home = tmp_path / "empty home"
    home.mkdir()
    done = run(sys.executable, clone / "main.py", "--demo", cwd=tmp_path, HOME=str(home))
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(home.iterdir()) == []
    (demo,) = (clone / ".demo").iterdir()
    (session,) = (demo / "sessions").glob("[!.]*")
    assert json.loads((session / "_history.jsonl").read_text().splitlines()[-1])["exit"] == 0
    look, merge = re.findall(r"^ +((?:cd .*)?git .*)$", done.stdout, re.M)[-2:]
    assert run("/bin/sh", "-ec", f"{look}\n{merge}", cwd=tmp_path).returncode == 0
    assert slug(demo / "repo", "slugify('A very long title', limit=13)") == "a-very-long"
    assert slug(demo / "repo", "slugify('!!!')") == "untitled"


def test_a_person_at_a_terminal_is_asked(clone: Path, tmp_path: Path) -> None:
    """They answer B twice, ask for a change of the plan, and approve the new plan."""
    person, theirs = pty.openpty()
    demo = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, sys.executable, str(clone / "main.py"), "--demo"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        for number, answer in enumerate(("B", "B", "B: make it 60", "yes"), 1):
            read_until(person, f"Your answer to Q{number} ")
            os.write(person, f"{answer}\n".encode())
        read_until(person, "Remove the demo: ")
        assert demo.wait(60) == 0
    finally:
        demo.kill()
        demo.wait()
        os.close(person)
    (tree,) = (clone / ".demo").glob("*/worktrees/*-demo")
    assert slug(tree, "slugify('A very long title', limit=13)") == "a-very-long-t"
    assert slug(tree, "slugify('!!!')").startswith("ValueError: no letter or digit")
    assert "- make it 60\n" in (tree / "README.md").read_text()
    assert git("status", "--short", cwd=tree) == ""


def read_until(terminal: int, pattern: str, limit: float = 120) -> None:
    seen, until = "", time.monotonic() + limit
    while not re.search(pattern, seen, flags=re.M):
        ready = select.select([terminal], [], [], max(0, until - time.monotonic()))[0]
        assert ready, f"{pattern} did not come:\n{seen}"
        seen += os.read(terminal, 65536).decode(errors="replace").replace("\r\n", "\n")


def test_the_project_is_its_own(tmp_path: Path) -> None:
    """It has one failing test and its own git identity. Two demos in one second differ."""
    first, second = (prepare(tmp_path, datetime(2026, 1, 8, 11, 0, 7)) for _ in range(2))
    assert first.folder != second.folder and first.folder.parent == tmp_path / ".demo"
    repo = second.folder / "repo"
    assert git("log", "--format=%ae %s", cwd=repo).startswith("demo@samocode.invalid ")
    assert git("status", "--short", cwd=repo) == ""
    assert run(sys.executable, "-m", "unittest", cwd=repo).returncode == 1
    assert second.environ["HOME"] == str(second.folder / "home")
    assert set(second.environ) == {"PATH", "HOME", "LANG"}
