"""What the machine does to a session: a full disk, a read-only folder, a torn record, folders that
go away. A clear error or none, and nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import CONTINUE, DONE, begun, kept, told
from tests.harness import Project, end, wait_for

FILL = """
disk = (SESSION / 'filler').open('wb', buffering=0)
try:
    while True: disk.write(b'x' * 4096)
except OSError:
    pass
"""


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
    project.script("ask(); signal('waiting', **{'for': 'qa_answers'})", default=DONE)
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
