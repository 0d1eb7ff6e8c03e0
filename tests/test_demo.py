"""The whole demo, played by main.py as ./install.sh --demo starts it."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import git

ROOT = Path(__file__).resolve().parent.parent
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # standard input becomes the terminal that Ctrl-C comes from
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of this clone without its .git and what git ignores."""
    to = tmp_path / "the clone"
    for name in git("ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


def test_the_whole_demo_without_a_terminal(clone: Path, tmp_path: Path) -> None:
    """A session from the dive to done, through the real loop; nothing is left outside the clone."""
    home = tmp_path / "empty home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, clone / "main.py", "--demo"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(home.iterdir()) == []
    (demo,) = (clone / ".demo").iterdir()
    (session,) = (demo / "sessions").glob("[!.]*")
    assert json.loads((session / "_history.jsonl").read_text().splitlines()[-1])["exit"] == 0
    git("merge", "-q", f"samocode/{session.name}", cwd=demo / "repo")
    tests = [sys.executable, "-m", "unittest"]
    subprocess.run(tests, cwd=demo / "repo", check=True, timeout=60)
    assert str(demo) in done.stdout


def test_a_person_at_a_terminal_is_asked(clone: Path, tmp_path: Path) -> None:
    """The person takes B, then the suggestion, wants the plan changed, and leaves by Ctrl-C."""
    person, theirs = pty.openpty()
    demo = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, sys.executable, str(clone / "main.py"), "--demo"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        seen = ""
        for asked, answer in (
            (r"Your answer to Q1 ", "B\n"),
            (r"Your answer to Q2 ", "\n"),
            (r"Your answer to Q3 ", "B: make it 60\n"),
            (r"Your answer to Q4 ", "\x03"),
        ):
            seen = read_until(person, asked)
            os.write(person, answer.encode())
        assert "You want the plan changed, so I plan again: make it 60" in seen
        read_until(person, "The demo's folder is ")
        assert demo.wait(10) == 130
    finally:
        demo.kill()
        demo.wait()
        os.close(person)


def read_until(terminal: int, pattern: str, limit: float = 60) -> str:
    """What came on the terminal up to a line with `pattern`; fails after `limit` seconds."""
    seen = ""
    until = time.monotonic() + limit
    while not re.search(pattern, seen, flags=re.M):
        ready = select.select([terminal], [], [], max(0, until - time.monotonic()))[0]
        assert ready, f"{pattern} did not come:\n{seen}"
        seen += os.read(terminal, 65536).decode(errors="replace").replace("\r\n", "\n")
    return seen
