"""`_history.jsonl`: the state that its lines give, and its repair after a kill or damage."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from samocode.decide.facts import Decision
from samocode.record.exits import UserError
from samocode.record.fold import fold
from samocode.record.history import VERSION, History
from samocode.record.state import Answer, Approval, SessionState

WHEN = "2026-01-08T10:00:00+00:00"
Line = dict[str, Any]


def line(event: str, **values: Any) -> Line:
    """A history line as it comes from the file."""
    return {"t": WHEN, "event": event, **values}


def iteration(n: int = 1, outcome: str = "continue", next: str = "planning", **more: Any) -> Line:
    """The line of an iteration in planning."""
    values = {"n": n, "phase": "planning", "outcome": outcome, "next": next}
    return line("iteration", **(values | more))


def answer(number: int, text: str, *took: str, **more: Any) -> Line:
    """The line of an answer. `took`: how the loop understood it."""
    values = {"id": number, "text": text, "by": "file"} | ({"took": took} if took else {})
    return line("answer", **(values | more))


def after(*lines: Line, state: SessionState | None = None) -> SessionState:
    """The state after these lines."""
    found = state or SessionState()
    for one in lines:
        fold(found, one)
    return found


TASK = line("task", kind="task", text="t")
ROUND = line("task", kind="task", text="more", round=2, notes=["A new round."], decision=True)
BEGIN = line("begin", n=1, phase="planning", log="001.jsonl")
WHICH = {"id": 1, "kind": "qa", "title": "Which?", "why": "w"}
ASKED = iteration(outcome="waiting", asked=[WHICH])
WAITED = iteration(outcome="waiting", plan="p.md")
PLAN = line("asked", id=2, kind="approval", title="Approve?", plan="p.md", copy="002.md")
YES = answer(2, "yes", "approve")
APPROVED = line("approved", id=2, plan="p.md", digest="d", copy="c", next="implementation")
LAPSED = line("lapsed", why="w", notes=["It lapsed."], plan="p.md")
APPROVAL = Approval("p.md", "d", "c")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([iteration(), line("start"), iteration(2)],
            {"spawned": 1, "iteration": 2}),
        ([iteration(next="quality"), iteration(2, phase="quality", next="quality"),
            iteration(3, phase="quality"), iteration(4, next="quality")],
            {"entered": {"planning": 2, "quality": 2}, "phase": "quality"}),
        ([iteration(cost_usd=1), iteration(2, held_usd=9), iteration(3, cost_usd=0), iteration(4)],
            {"cost_usd": 1.0, "highest_usd": 1.0, "held_usd": 9.0, "unpriced": 1}),
        ([ASKED, answer(1, "A", notes=["x"]), iteration(heard=True), answer(1, "B", notes=["y"])],
            {"answers": {1: Answer("B", (), "file")}, "notes": ["y"]}),
        ([APPROVED, LAPSED],
            {"approved": None, "plan_to_ask": "p.md", "ask_why": "w", "notes": ["It lapsed."]}),
        ([line("stop", exit=3, why="w"), line("start")], {"stopped": None}),
        ([line("start", decision=True), line("start") | {"t": "2027-01-01T00:00:00+00:00"}],
            {"restarted": datetime.fromisoformat(WHEN).timestamp()}),
        ([line("tomorrow", n="?", next="x", notes=["x"])], {"iteration": 0, "notes": []}),
    ],
)  # fmt: skip
def test_fold(lines: list[Line], expected: Line) -> None:
    """Only cases that no test in tests/outer covers."""
    state = after(*lines)
    assert {name: getattr(state, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("outcome", "again"),
    [(name, False) for name in ("continue", "waiting", "blocked", "done", "verify_failed",
        "stalled", "looping")]
    + [(name, True) for name in ("timeout", "transient", "crash", "stopped", "no_signal",
        "bad_signal", "interrupted", "limited", "budget", "tampered", "changed_code")],
)  # fmt: skip
def test_a_note_is_repeated_until_a_child_has_read_it(outcome: str, again: bool) -> None:
    heard = Decision(outcome, "planning").heard
    state = after(ASKED, answer(1, "A", notes=["x"]), iteration(outcome=outcome, heard=heard))
    assert bool(state.notes) == again


STRUCK = [iteration(outcome="timeout"), iteration(2, "crash"), iteration(3, "budget")]
WENT = [
    *STRUCK, iteration(4, "transient", delay=30.0), iteration(5, "transient", delay=60.0),
    iteration(6, "verify_failed", heard=False), iteration(7, progress=False, next="quality"),
]  # fmt: skip
COUNTS: Line = {"strikes": ["timeout", "crash"], "cut_off": 1, "api_waited": 90.0, "idle": 1,
    "verify_failures": 1}  # fmt: skip
NONE: Line = {name: type(value)() for name, value in COUNTS.items()}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([*WENT, line("stop", exit=1), line("start")], COUNTS),
        ([*STRUCK, iteration(4, "limited"), iteration(5, "stopped"), iteration(6, "interrupted")],
            {"strikes": ["timeout", "crash"], "cut_off": 1}),
        ([*STRUCK, iteration(4, "no_signal")], {"strikes": ["timeout", "crash", "no_signal"]}),
        ([*WENT, iteration(8, heard=True)], {"strikes": [], "cut_off": 0, "api_waited": 0.0}),
        ([iteration(progress=False), iteration(2, "transient", progress=False),
            iteration(3, progress=False)], {"idle": 2}),
    ],
)  # fmt: skip
def test_what_is_counted(lines: list[Line], expected: Line) -> None:
    """A valid signal ends a row of failures; a start by itself does not."""
    state = after(*lines)
    assert {name: getattr(state, name) for name in expected} == expected


@pytest.mark.parametrize("decision", [True, None, False])
def test_counting_starts_anew_with_a_decision(decision: bool | None) -> None:
    """Where a line that records no iteration has a true `decision`."""
    note = line("task", kind="note", text="n")
    for one in (line("start"), answer(1, "A"), note, ROUND, APPROVED):
        state = after(ASKED, *WENT, one | {"decision": decision, "next": "done"})
        entered = {"done": 1} if decision else {"planning": 2, "quality": 1, "done": 1}
        expected = {**(NONE if decision else COUNTS), "entered": entered}
        assert {name: getattr(state, name) for name in expected} == expected, one["event"]


# The gates


def test_a_question_is_open_until_a_human_has_the_last_word() -> None:
    """It is open again if its answer is removed or a text of unknown origin is found. The recorded
    answer stays until there is a new one."""
    state = after(ASKED)
    for one, waits, recorded in (
        (answer(1, "A"), False, "A"),
        (line("found", id=1, text="whose?"), True, "A"),
        (answer(1, "whose?"), False, "whose?"),
        (line("found", id=1, text=""), True, "whose?"),
        (answer(1, "B"), False, "B"),
    ):
        after(one, state=state)
        assert [question.id for question in state.open] == [1] * waits
        assert state.answers[1].text == recorded and bool(state.found) == waits


def test_a_new_plan_replaces_the_question_about_the_old_one() -> None:
    """A "yes" to the old plan, written while the planner ran, held the gate of the new one."""
    state = after(PLAN, answer(2, "use tabs", "change"), line("found", id=2, text="yes"))
    assert [q.id for q in after({**PLAN, "id": 3}, state=state).open] == [3]


@pytest.mark.parametrize("text", ["yes", "no"])
def test_an_answer_means_what_it_was_taken_for(text: str) -> None:
    """Whatever its text. So a later version that understands the text differently neither approves
    anything nor withdraws an approval."""
    approved = (WAITED, PLAN, YES, APPROVED)
    assert after(WAITED, PLAN, answer(2, text, "approve")).approves_now
    for untaken in (answer(2, text, "change"), answer(2, text), line("found", id=2, text=text)):
        assert not after(WAITED, PLAN, untaken).approves_now
    assert not after(*approved).approves_now, "it is approved already"
    assert after(*approved, answer(2, text, "change")).approved is None
    for untaken in (answer(2, text), line("found", id=2, text=text)):
        assert after(*approved, untaken).approved == APPROVAL
    assert after(*approved, line("found", id=2, text=text)).open


@pytest.mark.parametrize(
    "wrong",
    [
        *(line(event) for event in ("iteration", "lapsed", "found", "stop", "begin")),
        *(iteration() | {name: value} for name, value in (("n", float("inf")), ("held_usd", "x"),
            ("cost_usd", 10**400), ("seconds", -(10**400)), ("notes", 7))),
        *(iteration(outcome="waiting", asked=asked) for asked in (7, ["x"], [WHICH | {"id": "x"}],
            [WHICH | {"id": 8}, {"id": 9, "kind": "qa"}], [WHICH | {"id": 8, "options": 7}])),
        line("asked", id="x", kind="approval", title="t"),
        *(line(event, id=9, text="x") for event in ("answer", "found")),
        *(line(event, id=1) for event in ("answer", "found")),
        line("answer", id=1, text="x", took=7),
        line("stop", exit=0, next=["x"]),
        line("approved", plan="p"),
        line("start", head="h", dirty=7),
        line("task", kind="task"),
        line("session", branch="b"),
    ],
)  # fmt: skip
def test_a_line_of_a_wrong_shape_changes_nothing(tmp_path: Path, wrong: Line) -> None:
    """It is refused with file name and line number, and stays as it is."""
    lines = (line("session", v=VERSION), TASK, ASKED, WAITED, PLAN, YES, APPROVED, BEGIN)
    state = after(*lines)
    with pytest.raises((KeyError, TypeError, ValueError, OverflowError)):
        fold(state, wrong)
    assert vars(state) == vars(after(*lines))
    path = tmp_path / "_history.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in (*lines, wrong, TASK)))
    before = path.read_bytes()
    with pytest.raises(UserError, match=f"{path} line 9 is damaged.*repair or remove") as raised:
        History(path).load()
    assert raised.value.exit_code == 2 and path.read_bytes() == before


# The file


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history of three lines."""
    found = History(tmp_path / "_history.jsonl", lambda: datetime(2026, 1, 8, 10, tzinfo=UTC))
    found.append("session", v=VERSION, name="s")
    found.append("task", kind="task", text="täsk \ud800 \udc80 \u2028\n")
    found.append("iteration", n=1, phase="p", outcome="continue", next="p", why=None)
    return found


def test_the_state_of_any_earlier_line(history: History) -> None:
    """The state after n lines depends only on these lines."""
    earlier = [vars(history.at(history.state.lines))]
    for one in (PLAN, YES, line("found", id=2, text="x"), line("found", id=2, text="")):
        history.append(one["event"], **{k: v for k, v in one.items() if k not in ("t", "event")})
        earlier.append(vars(history.at(history.state.lines)))
        assert earlier[-1] == vars(history.state) == vars(History(history.path).load().state)
    assert [vars(history.at(3 + n)) for n in range(5)] == earlier
    assert [history.at(n).lines for n in range(8)] == list(range(8))


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[]", b"\xff\xfe"])
def test_a_line_that_is_no_object_names_file_and_line(history: History, damage: bytes) -> None:
    """A link in place of the file is an error, too."""
    first, *more = history.path.read_bytes().splitlines()
    history.path.write_bytes(b"\n".join([first, damage, *more]) + b"\n")
    with pytest.raises(UserError, match=f"{history.path} line 2 is damaged"):
        History(history.path).load()
    history.path.unlink()
    history.path.symlink_to("elsewhere")
    with pytest.raises(UserError, match="restore the history"):
        History(history.path).load()


@pytest.mark.parametrize("version", [None, 1, 3, "2", 0])
def test_a_history_of_another_version_is_refused(history: History, version: object) -> None:
    """The error is one sentence with the remedy, and the file stays as it is."""
    first, *more = history.path.read_bytes().splitlines()
    wrong = {key: value for key, value in json.loads(first).items() if key != "v"}
    wrong |= {} if version is None else {"v": version}
    history.path.write_bytes(b"\n".join([json.dumps(wrong).encode(), *more]) + b"\n")
    before = history.path.read_bytes()
    for repair in (False, True):
        with pytest.raises(UserError, match=r"another version.*: begin a new session") as raised:
            History(history.path).load(repair)
        assert raised.value.exit_code == 2
    assert history.path.read_bytes() == before


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_last_line_without_its_end(history: History, cut: int) -> None:
    """A complete line without a newline counts, since an editor may drop that. A torn one is moved
    to a file beside it, unless the history is opened only to look."""
    data = history.path.read_bytes()
    whole = data if cut == 1 else data[: data.rindex(b"\n", 0, -1) + 1]
    history.path.write_bytes(data[:-cut])
    assert History(history.path).load(repair=False).state.iteration == (cut == 1)
    assert history.path.read_bytes() == data[:-cut]
    assert History(history.path).load().state.iteration == (cut == 1)
    assert history.path.read_bytes() == whole
    torn = [path.read_bytes() for path in history.path.parent.glob("*.torn")]
    assert torn == ([data[len(whole) : -cut] + b"\n"] if cut > 1 else [])
    History(history.path).load().append("stop", exit=1)
    assert History(history.path).load().state.stopped == (1, "")


@pytest.mark.parametrize("how", ["emptied", "more", "gone", "link", "folder"])
def test_the_history_comes_back_from_our_own_copy(history: History, how: str) -> None:
    """Whatever a child did to the file. The child's version is kept beside it."""
    mine = History(history.path).load()
    assert not mine.restore(), "as we left it"
    mine.append("start")
    data, path = mine.path.read_bytes(), mine.path
    path.unlink()
    if how in ("more", "emptied"):
        path.write_bytes(data + b'{"event": "approved"}\n' if how == "more" else b"")
    elif how == "link":
        path.symlink_to("/dev/null")
    elif how == "folder":
        path.mkdir()
    assert mine.restore() and not mine.restore()
    assert path.read_bytes() == data and not path.is_symlink()
    assert len(list(path.parent.glob("_history.jsonl.kept-*"))) == (how != "gone")
    mine.append("stop", exit=1)
    assert vars(History(path).load().state) == vars(mine.state)


def test_an_older_text_that_somebody_saves_is_undone(history: History) -> None:
    """An editor or a sync tool may save it between two lines of the loop. A full /tmp, where the
    loop's own copy is, does no harm."""
    mine = History(history.path).load()
    with Path("/dev/full").open("wb") as full:
        os.dup2(full.fileno(), cast("int", vars(mine)["_copy"]))
    mine.append("start")
    data = mine.path.read_bytes()
    mine.path.write_bytes(data.partition(b"\n")[0] + b"\n")
    mine.append("stop", exit=1)
    assert mine.path.read_bytes().startswith(data)
    assert vars(History(mine.path).load().state) == vars(mine.state)
