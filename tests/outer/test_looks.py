"""--status and --stop: the table and the details of sessions, and how to stop a running loop."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
from typing import Any

import pytest

from samocode.show.row import STOPPED
from tests.outer import speech
from tests.outer.speech import wait_for
from tests.outer.stage import DONE, EXIT, ROOT, WORK, Stage
from tests.telegram_api import TelegramApi

LONG = "leave(); up(); text('Reading a.py'); time.sleep(600)"


def detail(stage: Stage) -> Any:
    """--status --json of the session."""
    ended = stage.run("--status", "--json")
    assert ended.code == 0, ended.out
    return json.loads(ended.out)


@pytest.mark.parametrize(
    ("how", "why"), [("--stop", "Stopped by --stop."), ("Ctrl-C", "Stopped by you.")]
)
def test_a_stop_lets_the_iteration_end(stage: Stage, how: str, why: str) -> None:
    """After --stop or one Ctrl-C the child finishes, and its signal counts. Then the loop ends with
    130, records that, sends it to those who did not see it, and the next start continues."""
    stage.script("hold(); signal(phase='requirements')", DONE)
    with TelegramApi() as api:
        stage.extra |= api.environ
        loop = stage.start()
        stage.up(1)
        for _ in range(2 if how == "--stop" else 0):  # a second --stop does not end it at once
            asked = stage.run("--stop")
            assert asked.code == 0 and f"pid {loop.process.pid}" in asked.out
        if how == "Ctrl-C":
            loop.send(signal.SIGINT)
        wait_for(lambda: "A running iteration ends first" in loop.out)
        assert loop.running and stage.alive
        stage.go()
        ended = loop.wait()
        assert ended.code == 130 and why in ended.out
        assert any(why in text for text in api.texts) == (how == "--stop")
    stop = speech.history(stage.session, "stop")[-1]
    assert (stop["exit"], stop["why"]) == (130, why)
    assert stage.run().code == 0
    assert speech.iterations(stage.session)[1]["phase"] == "requirements"


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("ask('Which?')", "waiting for you"),
        ("usage_limit(3600)", "paused"),
        ("SETUP", "setting up"),
    ],
)
def test_stop_ends_a_wait_at_once(stage: Stage, step: str, state: str) -> None:
    """At a gate, in a wait for the API and during SETUP, no iteration runs, so --stop ends the loop
    at once."""
    if step == "SETUP":
        stage.configure(SETUP="sleep 600")
    stage.script(step, DONE)
    loop = stage.start()
    wait_for(lambda: stage.has_history() and detail(stage)["state"] == state)
    assert stage.run("--stop").code == 0
    assert loop.wait().code == 130 and stage.children == (step != "SETUP")
    assert detail(stage)["state"] == "interrupted"


def test_stop_reaches_only_the_loop_that_holds_the_lock(stage: Stage) -> None:
    """--stop ends with 2 and one sentence, and sends no signal, if no loop runs, the session does
    not exist, the loop is on another machine, or its pid now belongs to another process."""
    stage.script(LONG)
    loop = stage.start(fast=True)
    stage.up(1)
    lock = stage.folder / "sessions/.locks" / stage.session.name
    held = json.loads(lock.read_text())
    other = subprocess.Popen(["sleep", "600"])
    wrong: dict[str, dict[str, object]] = {
        "another machine": {"host": "elsewhere"},
        "cannot be signalled": {"pid": other.pid},
    }
    for words, changed in wrong.items():
        lock.write_text(json.dumps({**held, **changed}))
        for now in ([], ["now"]):
            ended = stage.run("--stop", *now)
            assert ended.code == 2 and words in ended.out and ended.out.count("\n") == 1
    assert loop.running and other.poll() is None
    other.kill()
    other.wait()
    lock.write_text(json.dumps(held))
    loop.send(signal.SIGSTOP)  # as Ctrl-Z does: --stop wakes it
    assert stage.run("--stop", "now").code == 0 and loop.wait().code == 143
    ended = stage.run("--stop")
    assert ended.code == 2 and "nothing to stop" in ended.out
    stage.name = "other"
    assert stage.run("--stop").code == 2 and stage.run("--status").code == 2


def test_the_table_shows_every_session_in_words(stage: Stage) -> None:
    """The table has the newest session first, and the state of each in words. A session with a
    `begin` without an end and without a lock is killed."""
    assert stage.nameless("--status").code == 0 and "No sessions" in stage.nameless("--status").out
    steps = {
        "asks": "ask('Which?', 'Where?')", "ends": DONE,
        "blocks": "signal('blocked', reason='no key')",
        "works": WORK, "dies": LONG, "runs": LONG, "waits": "ask('A\\u3000wide one?')",
    }  # fmt: skip
    codes = {"asks": 4, "ends": 0, "blocks": 3, "works": 5}
    for name, step in steps.items():
        stage.name = name
        for mark in stage.steps.glob("up-*"):
            mark.unlink()
        stage.then(step)
        if name in codes:
            more = EXIT if name == "asks" else ("--max-iterations", "1")
            assert stage.begin(*more).code == codes[name]
        else:
            loop = stage.start(fast=True)
            if name == "waits":
                wait_for(lambda: list((stage.folder / "sessions").glob("*-waits/_qa.md")))
            else:
                stage.up(1)
            if name == "dies":
                loop.process.kill()
                loop.wait()
    stage.name = "new"
    assert stage.begin("--max-iterations", "0").code == 0
    damaged = stage.folder / "sessions/26-01-01-old"
    damaged.mkdir()
    (damaged / "_history.jsonl").write_text("{}\n")
    wait_for(lambda: "waiting for you" in stage.nameless("--status").out)
    shown = {
        cells[0][9:]: tuple(cells[1:])
        for line in stage.nameless("--status").out.splitlines()[1:]
        for cells in [re.split("  +", line)]
    }
    states = {name: cells[0] for name, cells in shown.items()}
    assert states == {
        "new": "not started", "waits": "waiting for you", "runs": "running", "dies": "killed",
        "works": "limit reached", "blocks": "blocked", "ends": "done", "asks": "stopped, waiting",
        "old": "damaged",
    }  # fmt: skip
    assert list(shown)[-1] == "old"
    assert shown["asks"][1:4] == ("investigation", "1", "0.25")
    assert shown["asks"][5] == "Q1: Which? (and 1 more)" and "no key" in shown["blocks"][5]
    rows = json.loads(stage.nameless("--status", "--json").out)["sessions"]
    assert {row["name"][9:]: row["state"] for row in rows} == states
    assert {row["name"][9:] for row in rows if row["running"]} == {"waits", "runs"}


def on_terminal(stage: Stage, columns: int) -> list[str]:
    """The lines of --status on a terminal of this width."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    command = [stage.command()[0], str(stage.main), "--config", str(stage.config), "--status"]
    subprocess.run(command, env=stage.environ, stdout=theirs, check=True)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    os.close(theirs)
    return shown.splitlines()


def test_the_table_fits_its_terminal(stage: Stage) -> None:
    """On a narrow terminal the table has fewer columns, but still what a session waits for. A wide
    character counts as two columns. Control characters are removed."""
    stage.script("ask('Where do 漢字漢字漢字漢字漢字漢字漢字漢字漢字 tokens \u202elive?')")
    assert stage.begin(*EXIT).code == 4
    for columns in (40, 60, 80, 200):
        head, row = on_terminal(stage, columns)
        assert head.startswith("SESSION ") and "\u202e" not in row
        assert len(row) + sum(c >= "一" for c in row if c != "…") <= columns
        assert row.endswith("…") == (columns < 100)
        assert ("PHASE" in head) == (columns > 60) and ("Q1: Where do" in row) == (columns > 40)
    assert "Q1: Where do" in stage.nameless("--status").out


def test_the_detail_shows_the_child_at_work(stage: Stage) -> None:
    """--status of a session shows since when the child runs, what it did last, and the sizes of
    logs and worktree, also as JSON. Control characters are removed."""
    stage.script("up(); text('Reading\\x1b[2J a.py'); time.sleep(600)")
    stage.start()
    stage.up(1)
    wait_for(lambda: "Reading" in stage.run("--status").out)
    shown = stage.run("--status").out
    assert re.search(r"Child: +iteration 1 for \d+s, last sign of life \d+s ago\n +Reading", shown)
    assert "\x1b" not in shown and "State:     running (a loop runs it now)" in shown
    assert re.search(r"Worktree: .* \d+ kB\)", shown) and "To go on" not in shown
    found = detail(stage)
    assert found["child"]["iteration"] == 1 and "Reading" in found["child"]["last"]
    assert found["task"] == "build it" and found["command"] is None
    assert found["worktree_bytes"] >= 4 and found["logs_bytes"] > 0


def test_the_shape_of_json_is_documented(stage: Stage) -> None:
    """docs/scripts.md lists every key of the JSON, and no other."""
    stage.script("ask('Which?')")
    assert stage.begin(*EXIT).code == 4
    part = (ROOT / "docs/scripts.md").read_text()
    first = "\n".join(line.split("|")[1] for line in part.splitlines() if line.startswith("| `"))
    keys = set(re.findall(r"`(\w+)`", first))
    row = set(json.loads(stage.nameless("--status", "--json").out)["sessions"][0])
    more = set(detail(stage))
    assert row < more and keys == more
    states = (ROOT / "README.md").read_text().split("## Looking at sessions")[1].split("\n## ")[0]
    assert set(STOPPED.values()) <= set(re.findall(r"\*(.+?)\*", states))
