"""What happens around a run: a clock that jumps, sleep, closed streams, many starts at once. A
clear error or none, and nothing lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from samocode.pages.settled import Settled
from tests.conftest import git
from tests.faults import CONTINUE, DONE, begun, kept, told
from tests.harness import Project, end, wait_for
from tests.killing import DYING, marked


@pytest.fixture
def project(tmp_path: Path, repo: Path) -> Project:
    """A project around the small repository."""
    return Project(tmp_path, repo)


# The clock.


@pytest.mark.parametrize("days", [-1, 1, 30])
def test_a_file_from_another_time_settles_all_the_same(tmp_path: Path, days: int) -> None:
    """A clock that was set back gives mtimes of the future: waiting for them would last for
    ever."""
    path = tmp_path / "_qa.md"
    path.write_text("x")
    then = time.time() + days * 86400
    os.utime(path, (then, then))
    settled = Settled(path, 0.2)
    began = time.monotonic()
    settled.wait(5)
    assert settled.settled() and time.monotonic() - began < 1


def test_a_session_from_the_future(project: Project) -> None:
    """All that stands on record happened tomorrow: the clock went backwards."""
    before = begun(project)
    tomorrow = [json.loads(line) | {"t": "2999-01-01T00:00:00+00:00"} for line in before]
    path = project.session / "_history.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in tomorrow))
    future = time.time() + 1e6
    for name in ("_qa.md", "_iteration.json", "_overview.md"):
        (project.session / name).touch()
        os.utime(project.session / name, (future, future))
    began = time.monotonic()
    kept(project, path.read_text().splitlines())
    assert time.monotonic() - began < 30


def limit(resets: str) -> str:
    """A step: the usage limit is reached; `resets` is Python for what the API says."""
    info = f"{{'status': 'rejected', 'resetsAt': {resets}}}"
    return f"emit(type='rate_limit_event', rate_limit_info={info}); api_error('rate_limit', 429)"


@pytest.mark.parametrize(
    ("resets", "code", "outcomes"),
    [
        ("time.time() - 3600", 0, ["transient", "done"]),
        ("-1e14", 0, ["transient", "done"]),
        ("float('nan')", 0, ["transient", "done"]),
        ("'tomorrow'", 0, ["transient", "done"]),
        ("time.time() + 1e6", 5, ["limited"]),
        ("9e14", 5, ["limited"]),
    ],
)
def test_a_reset_that_is_past_or_far(
    project: Project, resets: str, code: int, outcomes: list[str]
) -> None:
    """Our clock and the API's may be hours apart: try again soon, or stop; never sleep for ever."""
    project.script(limit(resets), default=DONE)
    ended = project.run(task="t", timeout=30)
    assert ended.returncode == code, told(ended)
    assert project.outcomes() == outcomes


def test_suspended_while_it_waits_for_the_limit(project: Project) -> None:
    """Stopped for longer than the wait: it goes on at once when it wakes."""
    project.script(limit("time.time() + 3"), default=DONE)
    loop = project.start(task="t")
    wait_for(lambda: project.history("limit"))
    loop.send_signal(signal.SIGSTOP)
    time.sleep(4)
    assert project.outcomes() == ["limited"]
    loop.send_signal(signal.SIGCONT)
    woken = time.monotonic()
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 0, printed
    assert time.monotonic() - woken < 5


def test_suspended_while_a_child_runs(project: Project) -> None:
    """The child ends while the loop sleeps; its signal counts."""
    project.script("signal('done', summary='s')")
    loop = project.start(task="t")
    wait_for(lambda: list(project.steps.glob("argv-1.json")))
    loop.send_signal(signal.SIGSTOP)
    time.sleep(2)
    loop.send_signal(signal.SIGCONT)
    assert loop.wait(30) == 0
    loop.communicate()
    assert project.outcomes() == ["done"]


# The streams and the terminal.


def test_the_reader_of_its_output_goes_away(project: Project) -> None:
    """`main.py | head`: the loop goes on to its end, and the exit code says how it ended."""
    project.script(CONTINUE, CONTINUE, default=DONE)
    loop = subprocess.Popen(
        project.command("--task", "t"), env=project.environ(), cwd=project.folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert loop.stdout and loop.stderr
    loop.stdout.readline()
    loop.stdout.close()
    errors = loop.stderr.read()
    assert loop.wait(60) == 0, errors
    loop.stderr.close()
    assert errors == "" and project.outcomes() == ["continue", "continue", "done"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(project: Project, closed: str) -> None:
    """As a daemon is started: no file of the session may end up where a stream is expected."""
    project.script(CONTINUE, default="print('{}'); sys.stderr.write('words\\n');" + DONE)
    ended = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *project.command("--task", "t")],
        env=project.environ(), cwd=project.folder, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, told(ended)
    assert project.outcomes() == ["continue", "done"]
    text = (project.session / "_logs" / project.history("iteration")[1]["log"]).read_text()
    assert '"type": "result"' in text and "samocode" not in text


def test_nohup(project: Project) -> None:
    """The terminal goes away: under nohup the loop goes on."""
    project.script("time.sleep(1); " + DONE)
    loop = subprocess.Popen(
        ["nohup", *project.command("--task", "t")], env=project.environ(), cwd=project.folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    wait_for(lambda: list(project.steps.glob("argv-1.json")))
    loop.send_signal(signal.SIGHUP)
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 0, printed
    assert project.outcomes() == ["done"]


# One loop per session, many sessions.


def test_a_stale_lock_never_blocks(project: Project) -> None:
    before = begun(project)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    held = {"pid": dead.pid, "host": "elsewhere", "since": "2020-01-01T00:00:00+00:00"}
    (project.session / "_worker.lock").write_text(json.dumps(held))
    kept(project, before)


def test_a_second_start_says_who_holds_it(project: Project) -> None:
    """With pid, host and since when; and it changes nothing, not even by its new words."""
    project.script("time.sleep(60)")
    loop = project.start(task="t")
    wait_for(lambda: list(project.steps.glob("argv-1.json")))
    record = (project.session / "_history.jsonl").read_bytes()
    second = project.run(task="other words")
    today = time.strftime("since %Y-%m-")
    told(second, f"pid {loop.pid}", socket.gethostname(), today)
    assert second.returncode == 2
    assert (project.session / "_history.jsonl").read_bytes() == record
    end(loop, signal.SIGTERM)


def test_starts_at_the_same_instant(project: Project) -> None:
    """Of a new session, several times: exactly one runs, the others exit 2."""
    go = project.steps / "go"
    project.script(f"while not Path({str(go)!r}).exists(): time.sleep(0.05)\n{DONE}")
    for number in range(3):
        mine = replace(project, name=f"race{number}")
        go.unlink(missing_ok=True)
        loops = [mine.start(task="t") for _ in range(3)]
        until = time.monotonic() + 20
        while sum(loop.poll() is not None for loop in loops) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        go.touch()
        printed = [loop.communicate(timeout=60)[0] for loop in loops]
        assert sorted(loop.returncode for loop in loops) == [0, 2, 2], printed
        assert not any("Traceback" in text for text in printed), printed
        assert mine.outcomes() == ["done"]
    assert len(list((project.folder / "sessions").iterdir())) == 3


def test_twenty_sessions_side_by_side(project: Project) -> None:
    """In one repository, all started at once: each has its folder, its worktree, its branch."""
    project.script(CONTINUE, default=DONE)
    before = git("rev-parse", "HEAD", cwd=project.repo)
    mine = [replace(project, name=f"many{number}") for number in range(20)]
    loops = [one.start(task="t") for one in mine]
    printed = [loop.communicate(timeout=120)[0] for loop in loops]
    assert [loop.returncode for loop in loops] == [0] * 20, printed
    for one in mine:
        assert git("branch", "--show-current", cwd=one.worktree) == f"samocode/{one.session.name}"
        assert one.outcomes() == ["continue", "done"]
    assert git("rev-parse", "HEAD", cwd=project.repo) == before
    assert git("status", "--porcelain", cwd=project.repo) == ""


# Killed where it hurts: more in test_crash.py.


@pytest.mark.skipif(sys.platform != "linux", reason="only there a child ends with its loop")
def test_killed_between_fork_and_exec(project: Project) -> None:
    """The child that was being started ends too, though it still had the loop's handlers."""
    project.script("time.sleep(60)")
    project.extra = {"DIE_BEFORE": "samocode/child/processes.py:before_exec:1"}
    command = project.command("--task", "t")
    command[1] = str(DYING)
    killed = subprocess.run(
        command, env=project.environ(), cwd=project.folder, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    wait_for(lambda: not list(marked(project.folder)), 5)
    assert not list(project.steps.glob("argv-1.json"))
