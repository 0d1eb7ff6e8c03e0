"""What an iteration, the Stop hook and --help may cost. These tests count git processes, imports
and system calls, not time, so a busy machine does not matter."""

import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.outer.stage import MAIN, Stage, executable

CHILD = r"""#!/bin/sh
# The quickest child: it starts no process of its own.
while [ "$1" != --add-dir ]; do [ "$1" = --permission-mode ] && mode=$2; shift; done
echo '{"type":"system","subtype":"init","session_id":"s","model":"m","apiKeySource":"none","permissionMode":"'$mode'"}'
echo '{"type":"result","subtype":"success","is_error":false,"total_cost_usd":0.01}'
echo x >>"$2/note.md"
echo '{"status": "continue"}' >"$2/_signal.json"
"""  # noqa: E501
GIT = '#!/bin/sh\necho "$*" >>"$GIT_SEEN"\nexec {} "$@"\n'


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A project whose child costs next to nothing."""
    child = executable(tmp_path / "child", CHILD)
    return Stage(tmp_path / "project", extra={"CLAUDE_PATH": str(child)}).with_git()


def run(stage: Stage, iterations: int, *before: str) -> None:
    """Run so many iterations, under a program such as strace."""
    arguments = ("--task", "t") if not stage.has_history() else ()
    command = stage.command(*arguments, "--max-iterations", str(iterations))
    ended = stage.execute([*before, *command])
    assert ended.code == 5, ended.out


def modules(stage: Stage, *arguments: str) -> set[str]:
    """The modules that a command of main.py imports."""
    looking = [sys.executable, "-X", "importtime", str(MAIN), *arguments]
    told = subprocess.run(
        looking, env=stage.environ, cwd=stage.folder, capture_output=True, text=True, check=True
    ).stderr
    found = re.findall(r"^import time: .*\| +(\S+)$", told, re.M)
    assert "samocode" in found, told
    return set(found)


def gits(stage: Stage, iterations: int) -> int:
    """How often git is started in a run of so many iterations."""
    seen, shim = stage.folder / "git-seen", stage.folder / "bin"
    if not shim.exists():
        executable(shim / "git", GIT.format(shutil.which("git")))
        stage.extra |= {"GIT_SEEN": str(seen), "PATH": f"{shim}:{os.environ['PATH']}"}
    seen.write_text("")
    run(stage, iterations)
    return len(seen.read_text().splitlines())


def test_git_is_started_twice_for_an_iteration(stage: Stage) -> None:
    """Once before and once after it. A start needs some more, a new session about a dozen."""
    new, two, seven = gits(stage, 1), gits(stage, 2), gits(stage, 7)
    assert seven - two == 5 * 2
    assert two - 2 * 2 <= 7
    assert new - 2 <= 13


def test_the_hook_imports_little(stage: Stage) -> None:
    """The Stop hook runs in every iteration, so it imports no settings and nothing slow."""
    run(stage, 1)
    (stage.session / "_signal.json").write_text('{"status": "continue"}')
    found = modules(stage, "--check-signal", str(stage.session))
    slow = {"dataclasses", "inspect", "logging", "argparse", "hashlib", "ctypes", "requests"}
    rooms = {f"samocode.{room}" for room in ("child", "settings.load", "gate", "show", "session")}
    assert not found & (slow | rooms)
    assert len(found) <= 119, sorted(found)


def test_help_imports_little(stage: Stage) -> None:
    """--help imports nothing of the loop."""
    found = modules(stage, "--help")
    assert not found & {"subprocess", "json", "logging", "samocode.session", "samocode.child"}
    assert len(found) <= 90, sorted(found)


def test_a_start_imports_nothing_slow(stage: Stage) -> None:
    """Each of these modules takes as long to import as several rooms of Samocode."""
    run(stage, 1)
    here = ["--config", str(stage.config), "--session", "work"]
    found = modules(stage, *here, "--max-iterations", "0")
    slow = {"dataclasses", "inspect", "ast", "hashlib", "uuid", "socket", "requests", "difflib"}
    assert not found & slow
    assert len(found) <= 206, len(found)


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here; .ci/run installs it")
def test_the_system_calls_of_an_iteration(stage: Stage) -> None:
    """The number of the loop's own system calls from one `_iteration.json` to the next is bounded,
    and does not grow with a thousand artifacts."""
    counts: list[float] = []
    for name, artifacts in (("few", 3), ("many", 1000)):
        stage.name = name
        command = stage.command("--task", "t", "--max-iterations", "1")
        assert stage.execute(command).code == 5
        for number in range(artifacts):
            (stage.session / f"01-01-00:00-dive-{number}.md").touch()
        trace = stage.folder / f"trace-{name}"
        command = stage.command("--max-iterations", "9")
        assert stage.execute(["strace", "-o", str(trace), *command]).code == 5
        iterations = re.split(r"^rename.*_iteration\.json\"", trace.read_text(), flags=re.M)[1:-1]
        assert len(iterations) == 8
        counts.append(statistics.median(part.count("\n") for part in iterations))
    assert counts[0] <= 305 and counts[1] <= counts[0] * 1.2, counts
