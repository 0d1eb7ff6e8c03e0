"""`_history.jsonl`: what each line means, and what a killed write or a full disk leaves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from samocode.errors import UserError
from samocode.git import State, Worktree
from samocode.history import History, fold
from samocode.past import Approval, Past
from tests.faults import on_a_full_disk

WHEN = "2026-01-08T10:00:00+00:00"


def line(event: str, **values: Any) -> dict[str, Any]:
    """A history line as it comes from the file."""
    return {"t": WHEN, "event": event, **values}


def iteration(
    n: int = 1, outcome: str = "continue", next: str = "planning", **values: Any
) -> dict[str, Any]:
    return line("iteration", n=n, phase="planning", outcome=outcome, next=next, **values)


def after(*lines: dict[str, Any], past: Past | None = None) -> Past:
    """The facts after these lines."""
    found = past or Past()
    for one in lines:
        found = fold(found, one)
    return found


TASK = line("task", kind="task", text="t")
ASKED = line("asked", id=1, kind="qa", text="## Q1: Which?\nAnswer:\n")
PLAN = line("asked", id=2, kind="approval", text="## Q2: Approve?\nAnswer:\n", plan="p.md")
APPROVED = line("approved", id=2, plan="p.md", digest="d", copy="c")
WAITED = iteration(outcome="waiting", plan="p.md")
DONE = iteration(outcome="done", summary="It works.")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("session", name="s")], {"worktree": None, "started": WHEN}),
        ([line("session", path="/w", branch="b", base="main")], {"worktree": Worktree(Path("/w"),
            "b", "main")}),
        ([TASK], {"texts": ((WHEN, "task", "t"),), "notes": ()}),
        ([TASK, iteration(), line("task", kind="note", text="n")],
            {"notes": ("The human added a note: read the end of _task.md.",)}),
        ([line("setup", exit=0)], {"set_up": True}),
        ([line("setup", exit=1)], {"set_up": False}),
        ([line("setup")], {"set_up": False}),
        ([line("start", head="h", dirty={"a.py": "1"})], {"baseline": State("h", {"a.py": "1"})}),
        ([line("start", head="h"), line("start")], {"baseline": State("h")}),
        ([iteration(), line("start")], {"recent": (), "iterations": 1, "iteration": 1}),
        ([iteration(next="quality", cost_usd=0.5)], {"phase": "quality", "entered": {"planning": 1,
            "quality": 1}, "cost_usd": 0.5, "dearest": 0.5}),
        ([iteration(), iteration(2, next="quality"), iteration(3, next="planning"), iteration(4,
            next="quality")],
         {"entered": {"planning": 1, "quality": 2}, "iteration": 4}),
        ([iteration(cost_usd=1), iteration(2, cost_usd=1, estimated=True)], {"cost_usd": 2.0,
            "dearest": 1.0}),
        ([iteration(cost_usd=1), iteration(2, cost_usd=9, estimated=True)], {"dearest": 1.0}),
        ([DONE], {"done": "It works."}),
        ([DONE, line("task", kind="task", text="more")],
         {"done": None, "round": 2, "phase": "investigation", "entered": {}, "approved": None}),
        ([ASKED, line("answer", id=1, text="A", by="file")], {"answers": {1: "A"},
            "notes": ("Q1 is answered in _qa.md.",)}),
        ([ASKED, line("answer", id=1, text="A"), iteration(), line("answer", id=1, text="B")],
         {"answers": {1: "B"}, "notes": ("The human changed the answer to Q1.",)}),
        ([WAITED], {"plan_to_ask": "p.md", "phase": "planning"}),
        ([WAITED, PLAN], {"plan_to_ask": None, "approval_id": 2}),
        ([PLAN, line("answer", id=2, text="yes, but smaller")],
         {"phase": "planning",
             "notes": (
                "The human did not approve the plan p.md and wants this change: yes, but smaller",
            )}),
        ([PLAN, line("answer", id=2, text="yes"), APPROVED],
         {"phase": "implementation", "approved": Approval("p.md", "d", "c"),
             "entered": {"implementation": 1}}),
        ([PLAN, line("answer", id=2, text="yes"), APPROVED, line("answer", id=2, text="no, stop")],
            {"approved": None, "phase": "planning"}),
        ([PLAN, line("asked", id=3, kind="approval", text="x", plan="q.md"), line("answer", id=2,
            text="no")],
         {"phase": "investigation", "approval_id": 3}),
        ([APPROVED, line("lapsed", why="w", plan="p.md", head="h")],
         {"approved": None, "plan_to_ask": "p.md", "ask_why": "w", "baseline": State("h"),
             "last_approved": Approval("p.md", "d", "c")}),
        ([APPROVED, line("lapsed", why="w")], {"approved": None, "plan_to_ask": None,
            "ask_why": ""}),
        ([iteration(outcome="verify_failed"), iteration(2, "verify_failed")],
            {"verify_failures": 2}),
        ([iteration(outcome="verify_failed"), APPROVED], {"verify_failures": 0}),
        ([DONE, line("task", kind="task", text="more"), APPROVED, line("task", kind="task",
            text="n")], {"round": 2, "approved": Approval("p.md", "d", "c")}),
        ([line("stop", exit=3, why="w")], {"stopped": (3, "w")}),
        ([line("stop", exit=3, why="w"), line("start")], {"stopped": None}),
        ([line("limit", until="x"), line("tomorrow", n="?"), line("")], {"iteration": 0}),
    ],
)  # fmt: skip
def test_fold(lines: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    past = after(*lines)
    assert {name: getattr(past, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("outcome", "told_again"),
    [(name, False) for name in ("continue", "waiting", "blocked", "done", "verify_failed")]
    + [(name, True) for name in ("timeout", "transient", "crash", "stopped", "no_signal",
        "interrupted")],
)  # fmt: skip
def test_notes_are_told_until_a_child_has_read_them(outcome: str, told_again: bool) -> None:
    past = after(ASKED, line("answer", id=1, text="A"), iteration(outcome=outcome))
    assert bool(past.notes) == told_again


def test_open_and_approves_now() -> None:
    past = after(ASKED, WAITED, PLAN)
    assert [q.id for q in past.open] == [1, 2] and not past.approves_now
    past = after(line("answer", id=1, text="yes"), line("answer", id=2, text="OK."), past=past)
    assert past.open == () and past.approves_now
    assert not after(APPROVED, past=past).approves_now


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A record of three lines."""
    found = History(tmp_path / "_history.jsonl", lambda: datetime(2026, 1, 8, 10, tzinfo=UTC))
    found.append("session", name="s")
    found.append("task", kind="task", text="täsk \ud800 \udc80 \u2028\n")
    found.append("iteration", n=1, phase="p", outcome="continue", next="p", why=None)
    return found


def test_append_and_load_give_the_same_facts(history: History) -> None:
    lines = history.path.read_bytes().splitlines()
    assert len(lines) == 3 and b"why" not in lines[2]
    assert json.loads(lines[0]) == {"t": WHEN, "event": "session", "name": "s"}
    assert History(history.path).load().past == history.past
    assert history.path.stat().st_mode & 0o077 == 0


def test_the_fastest_spender_is_known(history: History) -> None:
    """In USD a second, of runs that told what they cost; one of no time counts as a second."""
    for cost, seconds, estimated in ((3.0, 100.0, None), (0.02, 0.1, None), (9.0, 1.0, True)):
        history.append(
            "iteration", n=5, phase="p", outcome="continue", next="p", cost_usd=cost,
            seconds=seconds, estimated=estimated,
        )  # fmt: skip
    assert history.past.rate == 0.03


def test_a_line_without_its_end_is_whole(history: History) -> None:
    """An editor that saves no last newline loses no answer, no approval."""
    data = history.path.read_bytes()
    history.path.write_bytes(data[:-1])
    for repair in (False, True):
        assert History(history.path).load(repair).past.iteration == 1
    assert history.path.read_bytes() == data


@pytest.mark.parametrize("cut", [2, 20])
def test_a_torn_last_line_is_kept_aside(history: History, cut: int) -> None:
    data = history.path.read_bytes()
    whole = data[: data.rindex(b"\n", 0, -1) + 1]
    history.path.write_bytes(data[:-cut])
    assert History(history.path).load(repair=False).past.iteration == 0
    assert history.path.read_bytes() == data[:-cut], "who only looks repairs nothing"
    assert History(history.path).load().past.iteration == 0
    assert history.path.read_bytes() == whole
    kept = history.path.with_name("_history.jsonl.torn")
    assert kept.read_bytes() == data[len(whole) : -cut] + b"\n"
    History(history.path).load().append("stop", exit=1)
    assert History(history.path).load().past.stopped == (1, "")


def test_only_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "_history.jsonl"
    path.write_bytes(b'{"event": "sess')
    assert History(path).load().past == Past()
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"event": "iteration"}',
        b'{"event": "answer", "id": 9, "text": "x"}',
     b'{"event": "iteration", "n": "x", "phase": "p", "outcome": "o", "next": "p"}',
         b'{"event": "task"}',
     b'{"event": "stop", "exit": null}', b'{"event": "approved", "plan": "p"}'],
)  # fmt: skip
def test_a_damaged_line_in_the_middle_names_file_and_line(history: History, damage: bytes) -> None:
    lines = history.path.read_bytes().splitlines()
    history.path.write_bytes(b"\n".join([lines[0], damage, *lines[1:]]) + b"\n")
    before = history.path.read_bytes()
    with pytest.raises(UserError) as raised:
        History(history.path).load()
    assert f"{history.path} line 2" in str(raised.value) and "mend or remove" in str(raised.value)
    assert raised.value.exit_code == 2
    assert history.path.read_bytes() == before, "nothing is lost"


def test_what_is_no_file_is_no_empty_history(tmp_path: Path) -> None:
    path = tmp_path / "_history.jsonl"
    path.symlink_to("elsewhere")
    with pytest.raises(UserError, match="put the history back"):
        History(path).load()


FULL = """
from samocode.history import History
history = History(path).load()
try:
    history.append("task", kind="note", text="n" * 9000)
except OSError as error:
    print(error.errno is not None, len(history.past.texts))
"""


def test_a_full_disk_leaves_the_record_as_it_was(history: History) -> None:
    before = history.path.read_bytes()
    done = on_a_full_disk(FULL, history.path)
    assert done.stdout.split() == ["True", "1"], done.stderr
    assert history.path.read_bytes() == before
