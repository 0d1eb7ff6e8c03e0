"""What an iteration, the Stop hook and --help may cost. These tests count git processes, imports
and system calls, not time, so a busy machine does not matter."""

import os
import re
import shutil
import statistics
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
    child = executable(tmp_path / "child", CHILD)
    return Stage(tmp_path / "project", extra={"CLAUDE_PATH": str(child)}).with_git()


def run(stage: Stage, iterations: int, *before: str) -> None:
    """Run so many iterations, under a program such as strace."""
    ended = stage.run("--max-iterations", str(iterations), task="t", before=before)
    assert ended.code == 5, ended.out


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


@pytest.mark.parametrize(
    ("argv", "most", "slow"),
    [
        ("--help", 90, "subprocess json logging samocode.session samocode.child"),
        ("--check-signal {session}", 119, "dataclasses inspect logging argparse hashlib ctypes "
            "requests samocode.child samocode.settings.load samocode.gate samocode.show "
            "samocode.session"),
        ("--config {config} --session work --max-iterations 0", 206, "dataclasses inspect ast "
            "hashlib uuid socket requests difflib"),
    ],
    ids=["help", "Stop hook", "start"],
)  # fmt: skip
def test_little_is_imported(stage: Stage, argv: str, most: int, slow: str) -> None:
    """The Stop hook runs in every iteration. Each slow module takes as long to import as several
    rooms of Samocode."""
    run(stage, 1)
    (stage.session / "_signal.json").write_text('{"status": "continue"}')
    words = argv.format(session=stage.session, config=stage.config).split()
    looking = [sys.executable, "-X", "importtime", str(MAIN), *words]
    found = set(re.findall(r"^import time: .*\| +(\S+)$", stage.execute(looking).err, re.M))
    assert "samocode" in found and not found & set(slow.split())
    assert len(found) <= most, sorted(found)


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here; .ci/run installs it")
def test_the_system_calls_of_an_iteration(stage: Stage) -> None:
    """The loop's own, from one `_iteration.json` to the next. A thousand artifacts add few."""
    counts: list[float] = []
    for name, artifacts in (("few", 3), ("many", 1000)):
        stage.name = name
        run(stage, 1)
        for number in range(artifacts):
            (stage.session / f"01-01-00:00-dive-{number}.md").touch()
        trace = stage.folder / f"trace-{name}"
        run(stage, 9, "strace", "-o", str(trace))
        iterations = re.split(r"^rename.*_iteration\.json\"", trace.read_text(), flags=re.M)[1:-1]
        assert len(iterations) == 8
        counts.append(statistics.median(part.count("\n") for part in iterations))
    assert counts[0] <= 305 and counts[1] <= counts[0] * 1.2, counts
