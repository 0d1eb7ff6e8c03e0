"""A row read from the end of a history is the row of the whole history."""

from __future__ import annotations

from pathlib import Path

import pytest

from samocode.record.exits import UserError
from samocode.record.glance import END, glance
from samocode.record.history import History
from samocode.record.state import SessionState
from samocode.show.row import Row
from tests.outer import speech
from tests.outer.stage import DONE, TO_PLANNING, Stage


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A history of two rounds with questions, a change of mind, a plan, stops and a new start."""
    stage = Stage(tmp_path_factory.mktemp("glance") / "project", fast=True).with_git()
    ask = "ask('Which?', 'Where?')"
    stage.script(ask, TO_PLANNING, "plan()", "signal(phase='testing'); work()", default=DONE)
    assert stage.begin("--on-wait", "exit").code == 4
    speech.answer(stage.session, 1, "B")
    assert stage.run("--on-wait", "exit").code == 4
    speech.strike(stage.session, 1)
    assert stage.run("--on-wait", "exit").code == 4
    speech.answer(stage.session, 1, "A")
    speech.answer(stage.session, 2, "here")
    assert stage.run("--on-wait", "exit").code == 4
    speech.answer(stage.session, 2, "there")
    assert stage.run("--yes", "--max-iterations", "1").code == 5
    stage.then("signal(phase='done')")
    assert stage.run("--yes", "--max-iterations", "1").code == 5
    stage.then(DONE)
    assert stage.run().code == 0
    stage.then(ask)
    assert stage.run("--task", "one more thing", "--on-wait", "exit").code == 4
    assert stage.run("--yes", "--max-iterations", "1").code in (0, 4, 5)
    stage.close()
    return (stage.session / "_history.jsonl").read_bytes()


@pytest.mark.parametrize("end", [400, 1500, END])
def test_the_end_says_the_same_as_the_whole(recorded: bytes, tmp_path: Path, end: int) -> None:
    """After every line, and after a write that was cut off."""
    lines = recorded.splitlines(keepends=True)
    path = tmp_path / "26-01-01-work/_history.jsonl"
    path.parent.mkdir()
    for number in range(1, len(lines) + 1):
        for torn in (b"", b'{"t": "2026", "event": "ite'):
            path.write_bytes(b"".join(lines[:number]) + torn)
            whole = History(path).load(repair=False).state
            for running in (True, False):
                wanted = Row.of(path.parent, whole, running)
                assert Row.of(path.parent, glance(path, end), running) == wanted, number


def test_only_the_end_is_read(recorded: bytes, tmp_path: Path) -> None:
    """A long beginning costs nothing: here it could not even be read."""
    path = tmp_path / "_history.jsonl"
    path.write_bytes(b"not a line\n" * 10_000 + recorded)
    assert glance(path).iterations > 3
    with pytest.raises(UserError, match="line 1 is damaged"):
        History(path).load(repair=False)


def test_the_whole_history_is_read_without_totals(recorded: bytes, tmp_path: Path) -> None:
    """One truth: what a line says of the lines before it is not believed by the loop."""
    states: list[SessionState] = []
    for data in (recorded, recorded.replace(b'"totals": {', b'"totals": {"iterations": 99, ')):
        path = tmp_path / "_history.jsonl"
        path.write_bytes(data)
        states.append(History(path).load(repair=False).state)
    assert recorded.count(b'"totals": {') > 5 and vars(states[0]) == vars(states[1])
