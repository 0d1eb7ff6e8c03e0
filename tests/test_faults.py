"""What the machine does to a run: a full disk, a read-only folder, a torn record, a clock that
jumps, sleep, closed streams, two starts at once. A clear error or none, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from samocode.settled import Settled
from tests.conftest import git
from tests.crashing import marked
from tests.harness import ROOT, Project, end, wait_for

CONTINUE = "write('note-%d.md' % ITERATION['iteration']); signal('continue')"
DONE = "signal('done', summary='It works.')"
DYING = ROOT / "tests" / "fakes" / "dying_loop.py"
FILL = """
disk = (SESSION / 'filler').open('wb', buffering=0)
try:
    while True: disk.write(b'x' * 4096)
except OSError:
    pass
"""


@pytest.fixture
def project(tmp_path: Path, repo: Path) -> Project:
    """A project around the small repository."""
    return Project(tmp_path, repo)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The SESSIONS folder on a file system of its own, of half a megabyte."""
    folder = tmp_path / "sessions"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no small disk without root: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Generator[None]:
    """`folder` as on a file system that became read-only; who has a file open there writes on."""
    mount = ["mount", "--bind", str(folder), str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"nothing is read-only without root: {mounted.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take the last byte of the disk."""
    filler = folder / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return filler


def told(ended: subprocess.CompletedProcess[str], *words: str) -> str:
    """What a run printed: no traceback, and these words."""
    printed = ended.stdout + ended.stderr
    assert "Traceback" not in printed, printed
    for word in words:
        assert word in printed, printed
    return printed


def begun(project: Project) -> list[str]:
    """What is on record after one good iteration."""
    project.script(CONTINUE, default=DONE)
    assert project.run("--max-iterations", "1", task="the words").returncode == 5
    return (project.session / "_history.jsonl").read_text().splitlines()


def kept(project: Project, before: list[str], task: str | None = None) -> None:
    """Going on works, and the record still begins as it did; every iteration once."""
    ended = project.run(task=task)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = (project.session / "_history.jsonl").read_text().splitlines()
    assert lines[: len(before)] == before
    numbers = [line["n"] for line in project.history("iteration")]
    assert numbers == list(range(1, len(numbers) + 1)) and project.outcomes()[-1] == "done"
    assert "the words" in (project.session / "_task.md").read_text()


# The disk.


@pytest.mark.usefixtures("disk")
def test_a_child_fills_the_disk(project: Project) -> None:
    """The loop cannot put the iteration on record: it says so; with room again it goes on."""
    before = begun(project)
    (project.steps / "2.py").write_text(FILL + CONTINUE)
    ended = project.run(task="the words")
    assert ended.returncode == 1
    told(ended, "No space left", "make room")
    (project.session / "filler").unlink()
    kept(project, before)


def test_a_full_disk_at_the_start(project: Project, disk: Path) -> None:
    before = begun(project)
    filler = fill(disk)
    ended = project.run()
    assert ended.returncode == 1
    told(ended, "No space left", "make room")
    filler.unlink()
    kept(project, before)


def test_a_full_disk_and_a_new_session(project: Project, disk: Path) -> None:
    """No half session: the same command makes it once there is room."""
    project.script(default=DONE)
    filler = fill(disk)
    ended = project.run(task="the words")
    assert ended.returncode == 1
    told(ended, "No space left", "make room")
    filler.unlink()
    assert list(disk.iterdir()) == []
    assert project.run(task="the words").returncode == 0


def test_a_question_is_answered_on_a_full_disk(project: Project, disk: Path) -> None:
    """An answer that cannot be put on record stays in the file and counts later."""
    project.script("ask(1); signal('waiting', **{'for': 'qa_answers'})", default=DONE)
    assert project.run("--on-wait", "exit", task="the words").returncode == 4
    project.answer(1, "my answer")
    filler = fill(disk)
    ended = project.run("--on-wait", "exit")
    assert ended.returncode == 1
    told(ended, "make room")
    filler.unlink()
    kept(project, [])
    assert [line["text"] for line in project.history("answer")] == ["my answer"]


def test_a_read_only_session_folder(project: Project) -> None:
    before = begun(project)
    with read_only(project.session):
        ended = project.run()
        status = project.run("--max-iterations", "0")
    assert ended.returncode == 1
    told(ended, "Read-only", "give access")
    assert status.returncode == 0, "looking needs no writing"
    kept(project, before)


def test_a_read_only_folder_of_sessions(project: Project) -> None:
    """Refused before anything is done; the same command works later."""
    project.script(default=DONE)
    sessions = project.folder / "sessions"
    sessions.mkdir()
    with read_only(sessions):
        ended = project.run(task="the words")
    assert ended.returncode == 2
    told(ended, "SESSIONS", "may not be written")
    kept(project, [], task="the words")


def test_the_folder_becomes_read_only_while_a_child_runs(project: Project) -> None:
    """What a file system does after an error: the signal stands, the record cannot be written."""
    before = begun(project)
    (project.steps / "2.py").write_text("signal('continue'); write('there'); time.sleep(1.5)")
    loop = project.start()
    wait_for(lambda: (project.session / "there").exists())
    with read_only(project.session):
        printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 1 and "give access" in printed and "Traceback" not in printed
    kept(project, before)
    assert project.outcomes() == ["continue", "continue", "done"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(project: Project) -> None:
    before = begun(project)
    project.session.chmod(0o500)
    ended = project.run()
    project.session.chmod(0o700)
    assert ended.returncode == 1
    told(ended, "give access")
    kept(project, before)


# The record, the folders.


@pytest.mark.parametrize("torn", ['{"t": "2026-01', '{"event": "iteration", "n": 2}', "\0" * 100])
def test_a_torn_last_line(project: Project, torn: str) -> None:
    before = begun(project)
    with (project.session / "_history.jsonl").open("a") as file:
        file.write(torn)
    kept(project, before)
    assert torn in (project.session / "_history.jsonl.torn").read_text()


@pytest.mark.parametrize("how", ["gone", "empty", "wiped by a child"])
def test_no_history_no_run(project: Project, how: str) -> None:
    """Without its record a session is no fresh one: it would work in the wrong folder."""
    begun(project)
    path = project.session / "_history.jsonl"
    if how == "gone":
        path.unlink()
    elif how == "empty":
        path.write_text("")
    else:
        wipe = "(SESSION / '_history.jsonl').unlink(); write('there'); time.sleep(60)"
        (project.steps / "2.py").write_text(wipe)
        loop = project.start()
        wait_for(lambda: (project.session / "there").exists())
        end(loop)
    for number in (1, 2):
        (project.steps / f"argv-{number}.json").unlink(missing_ok=True)
    ended = project.run()
    assert ended.returncode == 2, told(ended)
    told(ended, "_history.jsonl")
    assert not list(project.steps.glob("argv-*.json")), "a child was started"


def test_a_signal_of_a_recorded_iteration_is_never_read_again(project: Project) -> None:
    """Killed right after the record: the old signal lies there, and says done."""
    before = begun(project)
    (project.session / "_signal.json").write_text('{"status": "done", "summary": "stale"}')
    project.script(CONTINUE, CONTINUE, DONE)
    kept(project, before)
    assert project.outcomes() == ["continue", "continue", "done"]


def test_the_working_directory_goes_while_a_child_runs(project: Project) -> None:
    """A clear sentence or none; the next start makes the worktree again from its branch."""
    before = begun(project)
    remove = "import shutil; shutil.rmtree(Path.cwd()); write('x'); signal('continue')"
    (project.steps / "2.py").write_text(remove)
    ended = project.run()
    told(ended)
    assert ended.returncode in (0, 3)
    kept(project, before)
    assert (project.worktree / "a.py").exists()


def test_a_killed_loop_and_the_working_directory_gone(project: Project) -> None:
    """Recovery has nothing to look at: it must not be in the way of going on."""
    before = begun(project)
    (project.steps / "2.py").write_text("signal('continue'); write('there'); time.sleep(60)")
    loop = project.start()
    wait_for(lambda: (project.session / "there").exists())
    end(loop)
    shutil.rmtree(project.worktree)
    kept(project, before)


def test_the_session_folder_goes_while_a_child_runs(project: Project) -> None:
    """Somebody deletes it all: an error that says so, and no traceback of a bug."""
    project.script("import shutil; shutil.rmtree(SESSION); time.sleep(0.2)")
    ended = project.run(task="the words")
    assert ended.returncode in (1, 3)
    told(ended, "sessions")


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


def test_two_starts_at_the_same_instant(project: Project) -> None:
    """Of a new session, several times: exactly one runs, the others exit 2."""
    project.script("time.sleep(3); " + DONE)
    for number in range(3):
        mine = replace(project, name=f"race{number}")
        loops = [mine.start(task="t") for _ in range(3)]
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


def test_killed_between_fork_and_exec(project: Project) -> None:
    """The child that was being started ends too, though it still had the loop's handlers."""
    project.script("time.sleep(60)")
    project.extra = {"DIE_BEFORE": "samocode/processes.py:before_exec:1"}
    command = project.command("--task", "t")
    command[1] = str(DYING)
    killed = subprocess.run(
        command, env=project.environ(), cwd=project.folder, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    wait_for(lambda: not list(marked(project.folder)), 5)
    assert not list(project.steps.glob("argv-1.json"))
