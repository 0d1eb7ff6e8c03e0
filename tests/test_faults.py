"""Faults of the machine: the error names the remedy, and nothing is lost."""

import errno
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from samocode.record.exits import known_trouble
from tests.outer.speech import wait_for
from tests.outer.stage import DONE, EXIT, TASK, WORK, Ended, Stage

FULL = (1, "No space left", "free disk space")
FILL = """
disk = open({!r}, 'wb', buffering=0)
try:
    while True: disk.write(b'x' * 4096)
except OSError:
    pass
"""


def said(ended: Ended, code: int, *words: str) -> None:
    assert ended.code == code and "Traceback" not in ended.out, ended.out
    assert [word for word in words if word not in ended.out] == [], ended.out


def begun(stage: Stage) -> list[str]:
    """The lines of the history after one good iteration."""
    stage.script(WORK, default=DONE)
    assert stage.begin("--max-iterations", "1").code == 5
    return (stage.session / "_history.jsonl").read_text().splitlines()


def goes_on(stage: Stage, before: list[str], *args: str) -> None:
    """Assert that the next start ends with done, and that the history lost and repeats nothing."""
    said(stage.begin(*args), 0)
    lines = (stage.session / "_history.jsonl").read_text().splitlines()
    assert lines[: len(before)] == before
    numbers = [line["n"] for line in stage.history("iteration")]
    assert numbers == list(range(1, len(numbers) + 1)) and stage.outcomes[-1] == "done"
    assert TASK in (stage.session / "_task.md").read_text()


# The disk.


@pytest.fixture
def filler(stage: Stage) -> Iterator[Path]:
    """A file on the small disk that holds SESSIONS; it may take up all the room."""
    folder = stage.folder / "sessions"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk without root: {mounted.stderr.strip()}")
    yield folder / "filler"
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(filler: Path) -> None:
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def test_a_child_fills_the_disk(stage: Stage, filler: Path) -> None:
    """The iteration and the next start cannot be recorded. With room again, it continues."""
    before = begun(stage)
    (stage.steps / "2.py").write_text(FILL.format(str(filler)) + WORK)
    said(stage.run(), *FULL)
    said(stage.run(), *FULL)
    filler.unlink()
    goes_on(stage, before)


def test_a_new_session_on_a_full_disk(stage: Stage, filler: Path) -> None:
    """No half-made session stays. With room again, the same command creates it."""
    stage.script(default=DONE)
    fill(filler)
    said(stage.begin(), *FULL)
    filler.unlink()
    assert list(filler.parent.iterdir()) == []
    goes_on(stage, [])


def test_an_answer_on_a_full_disk(stage: Stage, filler: Path) -> None:
    """An answer that cannot be recorded stays in the file and counts later."""
    stage.script("ask()", default=DONE)
    said(stage.begin(*EXIT), 4)
    stage.answer(1, "my answer")
    fill(filler)
    said(stage.run(*EXIT), 1, "free disk space")
    filler.unlink()
    goes_on(stage, [])
    assert [line["text"] for line in stage.history("answer")] == ["my answer"]


# Rights.


def run_unprivileged(stage: Stage, *args: str) -> Ended:
    """Without root's right to ignore file modes."""
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    if os.getuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root, and no setpriv to drop its rights")
    return stage.run(*args, before=drop if os.getuid() == 0 else ())


def test_a_read_only_session_folder(stage: Stage) -> None:
    """The loop stops with an error, while a child runs and at a start. A look still works."""
    before = begun(stage)
    (stage.steps / "2.py").write_text("signal('continue'); SESSION.chmod(0o500)")
    for _ in range(2):
        said(run_unprivileged(stage), 1, "ermission denied", "give access")
    said(run_unprivileged(stage, "--max-iterations", "0"), 0)
    stage.session.chmod(0o700)
    goes_on(stage, before)
    assert stage.outcomes == ["continue", "continue", "done"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOSPC])
def test_a_broken_disk_is_no_bug(number: int) -> None:
    stop = known_trouble(OSError(number, os.strerror(number)))
    assert stop and stop.code == 1 and "run again" in stop.why


def test_a_read_only_folder_of_sessions(stage: Stage) -> None:
    """It is a usage error, and nothing is created. The same command works once it is writable."""
    stage.script(default=DONE)
    sessions = stage.folder / "sessions"
    sessions.mkdir(mode=0o500)
    ended = run_unprivileged(stage, "--task", TASK)
    said(ended, 2, "SESSIONS", "is not writable")
    sessions.chmod(0o700)
    goes_on(stage, [])


def test_a_session_without_its_history_starts_no_child(stage: Stage) -> None:
    """As a new session it would work in the wrong folder."""
    begun(stage)
    path = stage.session / "_history.jsonl"
    path.write_text("")
    said(stage.run(), 2, "_history.jsonl")
    path.unlink()
    said(stage.run(), 2, "_history.jsonl")
    assert stage.children == 1, "no other child was started"


# The clock.


def test_a_session_from_the_future(stage: Stage) -> None:
    """The clock went backwards."""
    before = begun(stage)
    tomorrow = [json.loads(line) | {"t": "2999-01-01T00:00:00+00:00"} for line in before]
    path = stage.session / "_history.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in tomorrow))
    future = time.time() + 1e6
    for name in ("_qa.md", "_iteration.json", "_overview.md"):
        (stage.session / name).touch()
        os.utime(stage.session / name, (future, future))
    goes_on(stage, path.read_text().splitlines())


def test_suspended_while_it_waits_for_the_limit(stage: Stage) -> None:
    """The loop continues when the machine wakes."""
    stage.script("usage_limit(2)", default=DONE)
    loop = stage.start()
    wait_for(lambda: stage.history("limit"))
    loop.send(signal.SIGSTOP)
    time.sleep(2.5)
    assert stage.outcomes == ["limited"]
    ended = loop.send(signal.SIGCONT).wait()
    assert ended.code == 0, ended.out


# The streams and the terminal.


def test_the_reader_of_its_output_goes_away(stage: Stage) -> None:
    """`main.py | head`: the loop continues to its end, and the exit code says how it ended."""
    stage.script(WORK, WORK, default=DONE)
    loop = subprocess.Popen(
        stage.command("--task", "t"), env=stage.environ, cwd=stage.folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert loop.stdout and loop.stderr
    loop.stdout.readline()
    loop.stdout.close()
    errors = loop.stderr.read()
    assert loop.wait(60) == 0, errors
    loop.stderr.close()
    assert errors == "" and stage.outcomes == ["continue", "continue", "done"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(stage: Stage, closed: str) -> None:
    """As a daemon has. No file of the session gets the number of a closed stream."""
    stage.script(WORK, default="print('{}'); sys.stderr.write('words\\n');" + DONE)
    ended = stage.begin(before=["/bin/sh", "-c", f'exec "$@" {closed}', "sh"])
    said(ended, 0)
    assert stage.outcomes == ["continue", "done"]
    text = (stage.session / "_logs" / stage.history("iteration")[1]["log"]).read_text()
    assert '"type": "result"' in text and "samocode" not in text


def test_nohup(stage: Stage) -> None:
    stage.script("hold(); " + DONE)
    loop = stage.start(before=["nohup"])
    stage.up(1)
    loop.send(signal.SIGHUP)
    stage.go()
    ended = loop.wait()
    assert ended.code == 0 and stage.outcomes == ["done"], ended.out


def test_starts_at_the_same_instant(stage: Stage) -> None:
    """One runs the new session. The others report that it runs, or send it the task that it has."""
    stage.script("hold(); " + DONE)
    loops = [stage.start() for _ in range(4)]
    wait_for(lambda: sum(not loop.running for loop in loops) == 3)
    stage.go()
    printed = [loop.wait().out for loop in loops]
    assert {loop.code for loop in loops} <= {0, 2}, printed
    assert sum("is running" in text for text in printed) == 3
    assert not any("Traceback" in text for text in printed), printed
    assert stage.outcomes == ["done"] and stage.run().code == 0
    assert [line["text"] for line in stage.history("task")] == [TASK]
    assert len(list((stage.folder / "sessions").glob("[!.]*"))) == 1
