"""What happens around a run: a clock that jumps, sleep, closed streams, many starts at once. A
clear error or none, and nothing lost."""

from __future__ import annotations

import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from samocode.child import processes
from samocode.pages import swap
from samocode.pages.edited import EditedFile
from tests.conftest import git
from tests.faults import CONTINUE, DONE, begun, kept, told
from tests.harness import Project, end, wait_for
from tests.killing import DYING, marked

# The clock.


@pytest.mark.parametrize("days", [-1, 1, 30])
def test_a_file_from_another_time_settles_all_the_same(tmp_path: Path, days: int) -> None:
    """A clock that was set back gives mtimes of the future: waiting for them would last for
    ever."""
    path = tmp_path / "_qa.md"
    path.write_text("x")
    then = time.time() + days * 86400
    os.utime(path, (then, then))
    file = EditedFile(path, lambda _: "", print)
    began = time.monotonic()
    wait_for(lambda: file.settled(0.2), 5)
    assert time.monotonic() - began < 1


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
    (project.session.parent / ".locks" / project.session.name).write_text(json.dumps(held))
    kept(project, before)


@pytest.mark.parametrize("words", [(), ("--dive", "other words")])
def test_a_second_start_says_who_holds_it(project: Project, words: tuple[str, ...]) -> None:
    """With pid, host and since when; and it changes nothing. A dive is no note for it."""
    project.script("time.sleep(60)")
    loop = project.start(task="t")
    wait_for(lambda: list(project.steps.glob("argv-1.json")))
    record = (project.session / "_history.jsonl").read_bytes()
    second = project.run(*words)
    today = time.strftime("since %Y-%m-")
    told(second, *([] if words else [f"pid {loop.pid}", socket.gethostname(), today]))
    assert second.returncode == 2
    assert (project.session / "_history.jsonl").read_bytes() == record
    end(loop, signal.SIGTERM)


def test_starts_at_the_same_instant(project: Project) -> None:
    """Of a new session, several times: exactly one runs. The others say so, or send their words to
    it: these are the words that it has, and nobody's new round."""
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
        assert 0 in {loop.returncode for loop in loops}, printed
        assert all(loop.returncode in (0, 2) for loop in loops), printed
        assert sum("runs: the note" in text or "is running" in text for text in printed) == 2
        assert not any("Traceback" in text for text in printed), printed
        assert mine.run().returncode == 0
        assert mine.outcomes() == ["done"]
        assert [line["text"] for line in mine.history("task")] == ["t"]
    assert len(list((project.folder / "sessions").glob("[!.]*"))) == 3


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


def run_until(project: Project, place: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the loop until it is killed at this place of its code, if it comes there."""
    command = project.command(*args)
    command[1] = str(DYING)
    return subprocess.run(
        command, env=project.environ() | {"DIE_BEFORE": place}, cwd=project.folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="only there a child ends with its loop")
def test_killed_before_the_kernel_knows_whose_child_it_is(project: Project) -> None:
    """The child that was just started ends too: it never got a prompt."""
    project.script("time.sleep(60)")
    (place,) = (n for line, n in lines_of(processes.spawn).items() if "F_SETOWN" in line)
    killed = run_until(project, f"samocode/child/processes.py:{place}:1", "--task", "t")
    assert killed.returncode == -signal.SIGKILL
    wait_for(lambda: not list(marked(project.folder)), 5)
    assert not list(project.steps.glob("argv-1.json"))


def lines_of(function: Callable[..., object]) -> dict[str, int]:
    """The lines of a function, with their numbers."""
    text, first = inspect.getsourcelines(function)
    return {line.strip(): first + n for n, line in enumerate(text)}


def swap_lines() -> dict[str, int]:
    """The lines of `swap` that do something."""
    lines = lines_of(swap.swap)
    first = lines["aside = _aside(path)"]
    return {line: n for line, n in lines.items() if n >= first and "(" in line}


@pytest.mark.parametrize("page", ["_task.md", "_qa.md"])
@pytest.mark.parametrize("line", swap_lines())
def test_killed_while_a_page_is_swapped(project: Project, line: str, page: str) -> None:
    """What the human wrote on both pages is on record once, and both are as printed again."""
    project.script("ask(); signal('waiting', **{'for': 'qa_answers'})", default=DONE)
    assert project.run("--on-wait", "exit", task="the words").returncode == 4
    with (project.session / "_task.md").open("a") as file:
        file.write("\nand a note\n")
    project.answer(1, "mine")
    hit = 1 if page == "_task.md" else 2
    ended = run_until(project, f"samocode/pages/swap.py:{swap_lines()[line]}:{hit}")
    kept(project, [])
    assert ended.returncode in (0, -signal.SIGKILL), told(ended)
    assert [given["text"] for given in project.history("answer")] == ["mine"]
    assert [given["text"] for given in project.history("task")] == ["the words", "and a note"]
    assert (project.session / "_task.md").read_text().count("and a note") == 1
    assert (project.session / "_qa.md").read_text().endswith("\nAnswer: mine\n")
    assert not [path.name for path in project.session.iterdir() if "swap" in path.name]


def test_what_is_written_after_a_kill_waits_for_a_human(project: Project) -> None:
    """A killed loop's child may have written it, so nobody knows whose words these are: the answer
    on record stays until a human takes the new one."""
    sleeps = "write('there'); time.sleep(60)"
    project.script("ask(); signal('waiting', **{'for': 'qa_answers'})", sleeps, default=DONE)
    assert project.run("--on-wait", "exit", task="t").returncode == 4
    project.answer(1, "mine")
    loop = project.start()
    wait_for(lambda: (project.session / "there").exists())
    end(loop)
    path = project.session / "_qa.md"
    path.write_text(path.read_text().replace("Answer: mine", "Answer: other"))
    assert project.run("--on-wait", "exit", "--yes").returncode == 4
    assert "> mine\n\nNot taken yet:\n\n> other\n\nAnswer:\n" in path.read_text()
    assert [line["text"] for line in project.history("answer")] == ["mine"]
    project.answer(1, "same")
    assert project.run().returncode == 0
    assert [line["text"] for line in project.history("answer")] == ["mine", "other"]
    assert project.outcomes() == ["waiting", "interrupted", "done"]


@pytest.mark.parametrize("text", ["other", "before", "same"])
def test_killed_between_an_answer_and_its_page(project: Project, text: str) -> None:
    """It is on record once: the page of before the kill says nothing new."""
    forge = "forge(1, 'forged'); signal('continue')"
    project.script("ask(); signal('waiting', **{'for': 'qa_answers'})", forge, default=DONE)
    assert project.run("--on-wait", "exit", task="t").returncode == 4
    project.answer(1, "mine")
    assert project.run("--on-wait", "exit").returncode == 4
    project.answer(1, text)
    killed = run_until(project, "samocode/gate/answers.py:_record:1", "--on-wait", "exit")
    assert killed.returncode == -signal.SIGKILL
    assert project.run("--on-wait", "exit").returncode == 0
    given = {"other": "other", "before": "mine", "same": "forged"}[text]
    assert [line["text"] for line in project.history("answer")] == ["mine", given]
