"""What the machine does to a session: a full disk, missing rights, a clock that jumps, closed
streams. The error names the remedy, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import ASK, CONTINUE, DONE, begun, goes_on, said
from tests.harness import Project, end, wait_for

FULL = (1, "No space left", "make room")
FILL = """
disk = open({!r}, 'wb', buffering=0)
try:
    while True: disk.write(b'x' * 4096)
except OSError:
    pass
"""

# The disk.


@pytest.fixture
def filler(project: Project) -> Iterator[Path]:
    """A file on the small disk that holds SESSIONS; it may take up all the room."""
    folder = project.folder / "sessions"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk without root: {mounted.stderr.strip()}")
    yield folder / "filler"
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(filler: Path) -> None:
    """Use up the disk."""
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_a_child_fills_the_disk(project: Project, filler: Path) -> None:
    """The iteration cannot be recorded, nor can a start; with room again the session continues."""
    before = begun(project)
    (project.steps / "2.py").write_text(FILL.format(str(filler)) + CONTINUE)
    said(project.run(), *FULL)
    said(project.run(), *FULL)
    filler.unlink()
    goes_on(project, before)


def test_a_new_session_on_a_full_disk(project: Project, filler: Path) -> None:
    """No half session is made, and the same command makes it once there is room."""
    project.script(default=DONE)
    fill(filler)
    said(project.run(task="the words"), *FULL)
    filler.unlink()
    assert list(filler.parent.iterdir()) == []
    goes_on(project, [], task="the words")


def test_an_answer_on_a_full_disk(project: Project, filler: Path) -> None:
    """It cannot be recorded, so it stays in the file and counts later."""
    project.script(ASK, default=DONE)
    said(project.run("--on-wait", "exit", task="the words"), 4)
    project.answer(1, "my answer")
    fill(filler)
    said(project.run("--on-wait", "exit"), 1, "make room")
    filler.unlink()
    goes_on(project, [])
    assert [line["text"] for line in project.history("answer")] == ["my answer"]


# Rights.


def run_unprivileged(project: Project, *args: str) -> subprocess.CompletedProcess[str]:
    """`project.run`; root loses its right to ignore the modes of files."""
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    if os.getuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root, and no setpriv to drop its rights")
    return project.run(*args, before=drop if os.getuid() == 0 else ())


def test_a_read_only_session_folder(project: Project) -> None:
    """While a child runs, and at a start; looking needs no right to write."""
    before = begun(project)
    (project.steps / "2.py").write_text("signal('continue'); SESSION.chmod(0o500)")
    for _ in range(2):
        said(run_unprivileged(project), 1, "ermission denied", "give access")
    said(run_unprivileged(project, "--max-iterations", "0"), 0)
    project.session.chmod(0o700)
    goes_on(project, before)
    assert project.outcomes() == ["continue", "continue", "done"]


def test_a_read_only_folder_of_sessions(project: Project) -> None:
    """A usage error before anything is made; the same command works later."""
    project.script(default=DONE)
    sessions = project.folder / "sessions"
    sessions.mkdir(mode=0o500)
    ended = run_unprivileged(project, "--task", "the words")
    said(ended, 2, "SESSIONS", "may not be written")
    sessions.chmod(0o700)
    goes_on(project, [], task="the words")


@pytest.mark.parametrize("how", ["gone", "empty", "removed by a child"])
def test_a_session_without_its_record_starts_no_child(project: Project, how: str) -> None:
    """It is not taken for a new one, which would work in the wrong folder."""
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
    children = sorted(project.steps.glob("run-*.json"))
    for path in children:
        path.unlink()
    said(project.run(), 2, "_history.jsonl")
    assert not list(project.steps.glob("run-*.json")), "a child was started"


# The clock.


def test_a_session_from_the_future(project: Project) -> None:
    """The clock went backwards after everything on record."""
    before = begun(project)
    tomorrow = [json.loads(line) | {"t": "2999-01-01T00:00:00+00:00"} for line in before]
    path = project.session / "_history.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in tomorrow))
    future = time.time() + 1e6
    for name in ("_qa.md", "_iteration.json", "_overview.md"):
        (project.session / name).touch()
        os.utime(project.session / name, (future, future))
    goes_on(project, path.read_text().splitlines())


def limit(resets: str) -> str:
    """A step: the usage limit is reached; `resets` is Python for what the API says."""
    info = f"{{'status': 'rejected', 'resetsAt': {resets}}}"
    return f"emit(type='rate_limit_event', rate_limit_info={info}); api_error('rate_limit', 429)"


def test_suspended_while_it_waits_for_the_limit(project: Project) -> None:
    """A machine that slept for longer than the wait continues when it wakes."""
    project.script(limit("time.time() + 2"), default=DONE)
    loop = project.start(task="t")
    wait_for(lambda: project.history("limit"))
    loop.send_signal(signal.SIGSTOP)
    time.sleep(2.5)
    assert project.outcomes() == ["limited"]
    loop.send_signal(signal.SIGCONT)
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 0, printed


# The streams and the terminal.


def test_the_reader_of_its_output_goes_away(project: Project) -> None:
    """`main.py | head`: the loop continues to its end, and the exit code says how it ended."""
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
    """As a daemon is started: no file of the session may be opened in place of a stream."""
    project.script(CONTINUE, default="print('{}'); sys.stderr.write('words\\n');" + DONE)
    ended = project.run(task="t", before=["/bin/sh", "-c", f'exec "$@" {closed}', "sh"])
    said(ended, 0)
    assert project.outcomes() == ["continue", "done"]
    text = (project.session / "_logs" / project.history("iteration")[1]["log"]).read_text()
    assert '"type": "result"' in text and "samocode" not in text


def test_nohup(project: Project) -> None:
    """The terminal goes away, and the loop continues."""
    go = project.steps / "go"
    project.script(f"while not Path({str(go)!r}).exists(): time.sleep(0.05)\n{DONE}")
    loop = project.start(task="t", before=["nohup"])
    wait_for(lambda: list(project.steps.glob("run-001-*.json")))
    loop.send_signal(signal.SIGHUP)
    go.touch()
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 0 and project.outcomes() == ["done"], printed


def test_starts_at_the_same_instant(project: Project) -> None:
    """Exactly one of them runs the new session. The others say so, or send it their words, which it
    has already."""
    go = project.steps / "go"
    project.script(f"while not Path({str(go)!r}).exists(): time.sleep(0.05)\n{DONE}")
    loops = [project.start(task="t") for _ in range(4)]
    wait_for(lambda: sum(loop.poll() is not None for loop in loops) == 3)
    go.touch()
    printed = [loop.communicate(timeout=60)[0] for loop in loops]
    assert {loop.returncode for loop in loops} <= {0, 2}, printed
    assert sum("runs: the note" in text or "is running" in text for text in printed) == 3
    assert not any("Traceback" in text for text in printed), printed
    assert project.outcomes() == ["done"] and project.run().returncode == 0
    assert [line["text"] for line in project.history("task")] == ["t"]
    assert len(list((project.folder / "sessions").glob("[!.]*"))) == 1
