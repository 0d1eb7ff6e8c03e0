"""`_history.jsonl`: what each line means, and what a killed write or a full disk leaves."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from samocode.decide.facts import Decision
from samocode.record.exits import UserError
from samocode.record.fold import fold
from samocode.record.history import VERSION, History
from samocode.record.state import (
    Answer,
    Approval,
    Begun,
    Question,
    SessionState,
    Worktree,
    WorktreeStatus,
)
from tests.faults import on_a_full_disk

WHEN = "2026-01-08T10:00:00+00:00"


def line(event: str, **values: Any) -> dict[str, Any]:
    """A history line as it comes from the file."""
    return {"t": WHEN, "event": event, **values}


def iteration(
    n: int = 1, outcome: str = "continue", next: str = "planning", **values: Any
) -> dict[str, Any]:
    facts = {"phase": "planning", "outcome": outcome, "next": next}
    return line("iteration", n=n, **(facts | values))


def after(*lines: dict[str, Any], state: SessionState | None = None) -> SessionState:
    """The facts after these lines."""
    found = state or SessionState()
    for one in lines:
        fold(found, one)
    return found


def answer(
    number: int, text: str, took: str | None = None, *notes: str, **values: Any
) -> dict[str, Any]:
    """What the gate records: all that the answer means stands in its line."""
    meant = {"took": [took]} if took else {}
    onward = {"next": "planning"} if took == "change" else {}
    told = {"notes": list(notes)} if notes else {}
    return line("answer", id=number, text=text, by="file", **meant, **onward, **told, **values)


ADDED = "The human added a note: read the end of _task.md."
REFUSED = "The human did not approve the plan p.md and wants this change: "
TASK = line("task", kind="task", text="t")
ROUND = line(
    "task", kind="task", text="more", round=2, notes=["The human opened a new round."],
    decision=True,
)  # fmt: skip
BEGIN = line("begin", n=1, phase="planning", log="001.jsonl")
WHICH = {"id": 1, "kind": "qa", "title": "Which?", "why": "w"}
PLUG = {"id": 2, "kind": "action", "title": "Plug it in", "why": "w"}
ASKED = iteration(outcome="waiting", asked=[WHICH])
PLAN = line("asked", id=2, kind="approval", title="Approve?", plan="p.md", copy="002.md")
FOUND = line("found", id=1, text="whose?")
YES = answer(2, "yes", "approve")
APPROVED = line(
    "approved", id=2, plan="p.md", digest="d", copy="c", next="implementation",
    notes=["The human approved the plan p.md."],
)  # fmt: skip
LAPSED = line("lapsed", why="w", notes=["The approval of the plan lapsed: w"])
WAITED = iteration(outcome="waiting", plan="p.md")
DONE = iteration(outcome="done", summary="It works.")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("session", v=2, name="s")], {"worktree": None, "started": WHEN, "version": 2}),
        ([line("session", name="s")], {"started": WHEN, "version": 1}),
        ([line("session", path="/w", branch="b", base="main")], {"worktree": Worktree(Path("/w"),
            "b", "main")}),
        ([line("session", path="/w", branch="b", base="main", commit="c")],
            {"worktree": Worktree(Path("/w"), "b", "main", "c")}),
        ([TASK], {"texts": [(WHEN, "task", "t")], "notes": [], "round": 1}),
        ([TASK, iteration(), line("task", kind="note", text="n", notes=[ADDED])],
            {"notes": [ADDED]}),
        ([line("setup", exit=0)], {"set_up": True}),
        ([line("setup", exit=1)], {"set_up": False}),
        ([line("setup", log="setup.log")], {"set_up": False, "setting_up": True}),
        ([line("setup", log="setup.log"), line("setup", exit=0)], {"setting_up": False}),
        ([line("start", head="h", dirty={"a.py": "1"})],
            {"as_made": WorktreeStatus("h", {"a.py": "1"})}),
        ([line("start", head="h"), line("start", head="i")], {"as_made": WorktreeStatus("h")}),
        ([line("start", head="h"), line("start", head="i", made=True)],
            {"as_made": WorktreeStatus("i")}),
        ([iteration(), line("start")], {"spawned": 0, "iterations": 1, "iteration": 1}),
        ([iteration(), line("start"), iteration(2)], {"spawned": 1, "iterations": 2}),
        ([iteration(next="quality", cost_usd=0.5)], {"phase": "quality", "entered": {"planning": 1,
            "quality": 1}, "cost_usd": 0.5, "dearest": 0.5}),
        ([iteration(next="quality"), iteration(2, phase="quality", next="quality"),
            iteration(3, phase="quality"), iteration(4, next="quality")],
         {"entered": {"planning": 2, "quality": 2}, "iteration": 4}),
        ([iteration(cost_usd=1), iteration(2, held_usd=9), iteration(3, cost_usd=0), iteration(4)],
            {"cost_usd": 1.0, "dearest": 1.0, "held_usd": 9.0, "unpriced": 1}),
        ([DONE], {"done": "It works."}),
        ([iteration(outcome="done", summary="")], {"done": ""}),
        ([iteration()], {"done": None}),
        ([DONE, ROUND],
         {"done": None, "round": 2, "phase": "investigation", "entered": {}, "approved": None,
             "notes": ["The human opened a new round."]}),
        ([ASKED, answer(1, "A", None, "Q1 is answered in _qa.md.")], {"answers":
            {1: Answer("A", (), "file")}, "notes": ["Q1 is answered in _qa.md."]}),
        ([ASKED, answer(1, "A", None, "x"), iteration(heard=True), answer(1, "B", None, "changed")],
         {"answers": {1: Answer("B", (), "file")}, "notes": ["changed"]}),
        ([ASKED, answer(1, "A"), line("struck", id=1)],
            {"answers": {}, "before": {1: "A"}, "human": {1}}),
        ([ASKED, answer(1, "A"), line("struck", id=1), answer(1, "B")],
            {"answers": {1: Answer("B", (), "file")}, "before": {}}),
        ([ASKED, answer(1, "A") | {"by": "yes"}], {"human": set[int]()}),
        ([ASKED, answer(1, "A") | {"by": "yes"}, line("struck", id=1)], {"human": {1}}),
        ([ASKED, FOUND], {"answers": {}, "found": {1: "whose?"}, "human": set[int]()}),
        ([ASKED, answer(1, "A"), FOUND],
            {"answers": {1: Answer("A", (), "file")}, "found": {1: "whose?"}, "notes": []}),
        ([ASKED, FOUND, line("found", id=1, text="and whose?")], {"found": {1: "and whose?"}}),
        ([ASKED, answer(1, "A"), FOUND, answer(1, "whose?")],
            {"answers": {1: Answer("whose?", (), "file")}, "found": {}}),
        ([iteration(outcome="waiting", asked=[WHICH, PLUG])],
            {"asked": {1: Question(1, "qa", "Which?", "w"),
                2: Question(2, "action", "Plug it in", "w")}}),
        ([iteration(outcome="waiting", asked=[WHICH | {"options": ["JWT", "Sessions"],
            "suggested": "A", "because": "it fits"}])],
            {"asked": {1: Question(1, "qa", "Which?", "w", ("JWT", "Sessions"), "A", "it fits")}}),
        ([PLAN], {"asked": {2: Question(2, "approval", "Approve?", plan="p.md", copy="002.md")}}),
        ([WAITED], {"plan_to_ask": "p.md", "phase": "planning"}),
        ([WAITED, PLAN], {"plan_to_ask": None, "approval_id": 2}),
        ([PLAN, answer(2, "yes, but smaller", "change", REFUSED + "yes, but smaller")],
         {"phase": "planning", "notes": [REFUSED + "yes, but smaller"]}),
        ([PLAN, YES, APPROVED],
         {"phase": "implementation", "approved": Approval("p.md", "d", "c"),
             "entered": {"implementation": 1}, "notes": ["The human approved the plan p.md."]}),
        ([PLAN, YES, APPROVED, answer(2, "no, stop", "change", head="h")],
            {"approved": None, "phase": "planning"}),
        ([PLAN, line("asked", id=3, kind="approval", title="x", plan="q.md"), answer(2, "no")],
         {"phase": "investigation", "approval_id": 3}),
        ([APPROVED, LAPSED | {"plan": "p.md", "head": "h"}],
         {"approved": None, "plan_to_ask": "p.md", "ask_why": "w",
             "notes": ["The human approved the plan p.md.", "The approval of the plan lapsed: w"]}),
        ([APPROVED, LAPSED], {"approved": None, "plan_to_ask": None, "ask_why": ""}),
        ([iteration(outcome="verify_failed"), iteration(2, "verify_failed")],
            {"verify_failures": 2}),
        ([ASKED, answer(1, "A", None, "x"),
            iteration(outcome="verify_failed", heard=True, notes=["VERIFY failed"])],
         {"notes": ["VERIFY failed"]}),
        ([DONE, ROUND, APPROVED, line("task", kind="task", text="n")], {"round": 2,
            "approved": Approval("p.md", "d", "c")}),
        ([BEGIN], {"pending": Begun(1, "planning", "001.jsonl"), "iteration": 0, "iterations": 0}),
        ([BEGIN | {"budget_usd": 2.5}],
            {"pending": Begun(1, "planning", "001.jsonl", budget_usd=2.5)}),
        ([BEGIN, line("stop", exit=1), line("start")],
            {"pending": Begun(1, "planning", "001.jsonl")}),
        ([BEGIN, iteration()], {"pending": None, "iteration": 1}),
        ([BEGIN, iteration(), line("begin", n=2, phase="quality", log="002.jsonl")],
         {"pending": Begun(2, "quality", "002.jsonl"), "iteration": 1, "phase": "planning"}),
        ([line("stop", exit=3, why="w")], {"stopped": (3, "w")}),
        ([line("stop", exit=3, why="w"), line("start")], {"stopped": None}),
        ([line("limit", until="x"), line("tomorrow", n="?", next="x", notes=["x"]), line("")],
            {"iteration": 0, "phase": "investigation", "notes": []}),
    ],
)  # fmt: skip
def test_fold(lines: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    state = after(*lines)
    assert {name: getattr(state, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("outcome", "told_again"),
    [(name, False) for name in ("continue", "waiting", "blocked", "done", "verify_failed",
        "stalled", "looping")]
    + [(name, True) for name in ("timeout", "transient", "crash", "stopped", "no_signal",
        "bad_signal", "interrupted", "limited", "budget", "tampered", "changed_code")],
)  # fmt: skip
def test_notes_are_told_until_a_child_has_read_them(outcome: str, told_again: bool) -> None:
    heard = Decision(outcome, "planning").heard
    state = after(ASKED, answer(1, "A", None, "x"), iteration(outcome=outcome, heard=heard))
    assert bool(state.notes) == told_again


STRUCK = [iteration(outcome="timeout"), iteration(2, "crash"), iteration(3, "budget")]
COUNTED: dict[str, Any] = {"strikes": ["timeout", "crash"], "cut_off": 1}
WENT = [
    *STRUCK, iteration(4, "transient", delay=30.0), iteration(5, "verify_failed", heard=False),
    iteration(6, progress=False, next="quality"),
]  # fmt: skip
ENTERED = {"planning": 2, "quality": 1}
ALL: dict[str, Any] = {**COUNTED, "api_waited": 30.0, "idle": 1, "verify_failures": 1}
NONE: dict[str, Any] = {name: type(value)() for name, value in ALL.items()}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (STRUCK, COUNTED),
        *(([*STRUCK, iteration(4, outcome)], COUNTED) for outcome in ("transient", "limited",
            "stopped", "interrupted")),
        ([*STRUCK, line("stop", exit=1), line("start")], COUNTED),
        ([*STRUCK, iteration(4, "no_signal")], {"strikes": ["timeout", "crash", "no_signal"]}),
        ([*STRUCK, iteration(4, heard=True)], {"strikes": [], "cut_off": 0}),
        ([iteration(outcome="transient", delay=30.0), iteration(2, "transient", delay=60.0)],
            {"api_waited": 90.0}),
        ([iteration(outcome="transient", delay=30.0), iteration(2, heard=True)],
            {"api_waited": 0.0}),
        ([iteration(outcome="crash", delay=30.0)], {"api_waited": 0.0}),
        ([iteration(progress=False), iteration(2, "transient", progress=False),
            iteration(3, progress=False)], {"idle": 2}),
        ([iteration(progress=False), iteration(2, "timeout"), iteration(3, progress=False)],
            {"idle": 1}),
        (WENT, {**ALL, "entered": ENTERED}),
    ],
)  # fmt: skip
def test_what_is_counted(lines: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    """Only a valid signal ends a row of failures; no start does."""
    state = after(*lines)
    assert {name: getattr(state, name) for name in expected} == expected


@pytest.mark.parametrize("decision", [True, None, False])
def test_counting_starts_anew_with_a_decision(decision: bool | None) -> None:
    """Whatever line says that a person decided; a line of the same kind without that does not."""
    note = line("task", kind="note", text="n")
    for one in (line("start"), answer(1, "A"), note, ROUND, APPROVED):
        state = after(ASKED, *WENT, one | {"decision": decision, "next": "done"})
        entered = ({} if decision else ENTERED) | {"done": 1}
        expected = {**(NONE if decision else ALL), "entered": entered}
        assert {name: getattr(state, name) for name in expected} == expected, one["event"]


def test_open_and_approves_now() -> None:
    state = after(ASKED, WAITED, PLAN)
    assert [q.id for q in state.open] == [1, 2] and not state.approves_now
    state = after(answer(1, "yes"), answer(2, "OK.", "approve"), state=state)
    assert state.open == () and state.approves_now
    assert not after(APPROVED, state=state).approves_now


@pytest.mark.parametrize("text", ["yes", "OK.", "approve", "no", "Yes, but smaller", ""])
def test_an_answer_stays_what_it_was_taken_as(text: str) -> None:
    """Whatever its words: a later version that reads them otherwise approves nothing by that, and
    takes no approval back."""
    state = after(WAITED, PLAN, answer(2, text, "change"))
    assert not state.approves_now and state.open == ()
    assert state.answers == {2: Answer(text, ("change",), "file")}
    assert after(WAITED, PLAN, answer(2, text, "approve")).approves_now
    assert not after(WAITED, PLAN, answer(2, text)).approves_now, "nobody decided what it means"
    state = after(WAITED, PLAN, YES, APPROVED, answer(2, text, "change"))
    assert state.approved is None and not state.approves_now
    assert after(WAITED, PLAN, YES, APPROVED, answer(2, text)).approved is not None


def test_a_question_is_open_until_a_human_has_the_last_word() -> None:
    """Struck out, or with a text after it that nobody knows the writer of: open. What is on record
    stays on record until a new answer is."""
    state = after(ASKED, answer(1, "A"))
    assert not state.open
    after(FOUND, state=state)
    assert [q.id for q in state.open] == [1] and state.answers[1].text == "A"
    after(answer(1, "whose?"), state=state)
    assert not state.open
    after(line("struck", id=1), state=state)
    assert [q.id for q in state.open] == [1] and state.before == {1: "whose?"}
    after(answer(1, "B") | {"by": "terminal"}, state=state)
    assert not state.open and state.human == {1}


def test_a_found_yes_approves_nothing() -> None:
    """Before the plan is approved, and after."""
    found = line("found", id=2, text="yes")
    state = after(WAITED, PLAN, found)
    assert not state.approves_now and [q.id for q in state.open] == [2]
    state = after(WAITED, PLAN, YES, APPROVED, line("found", id=2, text="no"))
    assert state.approved == Approval("p.md", "d", "c") and [q.id for q in state.open] == [2]


@pytest.mark.parametrize(
    "wrong",
    [
        line("iteration"),
        iteration() | {"n": "x"},
        iteration(cost_usd="x"),
        iteration(held_usd="x"),
        iteration(delay="x"),
        iteration(notes=7),
        line("begin", n=2, phase="p"),
        iteration(outcome="waiting", asked=7),
        iteration(outcome="waiting", asked=["x"]),
        iteration(outcome="waiting", asked=[PLUG | {"id": "x"}]),
        iteration(outcome="waiting", asked=[PLUG | {"id": 8}, {"id": 9, "kind": "qa"}]),
        iteration(outcome="waiting", asked=[PLUG | {"id": 8, "options": 7}]),
        line("asked", id="x", kind="approval", title="t"),
        line("asked", id=8, kind="approval"),
        line("answer", id=9, text="x"),
        line("answer", id=1),
        line("answer", id=1, text="x", took=7),
        line("stop", exit=0, next=["x"]),
        line("approved", plan="p"),
        line("lapsed"),
        line("start", head="h", dirty=7),
        line("found", id=9, text="x"),
        line("found", id=1),
        line("found"),
        line("struck", id=9),
        line("struck"),
        line("stop"),
        line("task", kind="task"),
        line("session", branch="b"),
    ],
)
def test_a_line_of_a_wrong_shape_changes_nothing(wrong: dict[str, Any]) -> None:
    lines = (TASK, ASKED, WAITED, PLAN, YES, APPROVED, BEGIN)
    state = after(*lines)
    with pytest.raises((KeyError, TypeError, ValueError)):
        fold(state, wrong)
    assert vars(state) == vars(after(*lines))


def test_folding_takes_linear_time() -> None:
    """A long session is read in each Stop hook, too. Measured as a ratio, on any machine."""

    def seconds(count: int) -> float:
        numbers = range(1, count + 1)
        lines = [TASK, *(iteration(n, "crash", cost_usd=0.01, notes=["x"]) for n in numbers)]
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            state = after(*lines)
            best = min(best, time.process_time() - began)
            assert state.iterations == len(state.strikes) == count
        return best

    assert seconds(40_000) / seconds(20_000) < 3.5


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A record of three lines."""
    found = History(tmp_path / "_history.jsonl", lambda: datetime(2026, 1, 8, 10, tzinfo=UTC))
    found.append("session", v=VERSION, name="s")
    found.append("task", kind="task", text="täsk \ud800 \udc80 \u2028\n")
    found.append("iteration", n=1, phase="p", outcome="continue", next="p", why=None)
    return found


def test_append_and_load_give_the_same_facts(history: History) -> None:
    lines = history.path.read_bytes().splitlines()
    assert len(lines) == 3 and b"why" not in lines[2]
    assert json.loads(lines[0]) == {"t": WHEN, "event": "session", "v": 2, "name": "s"}
    assert vars(History(history.path).load().state) == vars(history.state)
    assert history.path.stat().st_mode & 0o077 == 0


def test_a_line_without_its_end_is_whole(history: History) -> None:
    """An editor that saves no last newline loses no answer, no approval."""
    data = history.path.read_bytes()
    history.path.write_bytes(data[:-1])
    for repair in (False, True):
        assert History(history.path).load(repair).state.iteration == 1
    assert history.path.read_bytes() == data


@pytest.mark.parametrize("version", [None, 1, 3, "2", 0])
def test_a_history_of_another_version_is_refused(history: History, version: object) -> None:
    """In one sentence that says what to do; and it stays as it is."""
    first, *more = history.path.read_bytes().splitlines()
    line = {key: value for key, value in json.loads(first).items() if key != "v"}
    line |= {} if version is None else {"v": version}
    history.path.write_bytes(b"\n".join([json.dumps(line).encode(), *more]) + b"\n")
    before = history.path.read_bytes()
    for repair in (False, True):
        with pytest.raises(UserError) as raised:
            History(history.path).load(repair)
        place = history.path.parent
        said = f"{place} was made by another version of Samocode: begin a new session."
        assert raised.value.problems == (said,) and raised.value.exit_code == 2
    assert history.path.read_bytes() == before


def test_a_begun_iteration_is_pending_until_its_line(history: History) -> None:
    """Read again after a kill: the record alone says it."""
    assert history.state.pending is None
    history.append("begin", n=2, phase="p", log="002.jsonl")
    pending = Begun(2, "p", "002.jsonl")
    assert history.state.pending == History(history.path).load().state.pending == pending
    history.append("iteration", n=2, phase="p", outcome="continue", next="p")
    assert history.state.pending is History(history.path).load().state.pending is None


def test_what_an_answer_was_taken_as_survives_a_reload(history: History) -> None:
    """A refusal in words that would approve, and an approval in words that would not."""
    history.append("asked", id=1, kind="approval", title="Approve?", plan="p.md")
    history.append("answer", id=1, text="yes", by="file", took=("change",), next="planning")
    state = History(history.path).load().state
    assert state.answers == {1: Answer("yes", ("change",), "file")}
    assert (state.phase, state.approves_now) == ("planning", False)
    history.append("answer", id=1, text="go ahead, then", by="file", took=("approve",))
    again = History(history.path).load().state
    assert again.approves_now and history.state.approves_now


def test_the_state_of_any_earlier_line(history: History) -> None:
    """What a page of that number shows: a function of those lines alone, whatever came after."""
    lines = [PLAN, answer(2, "yes", "approve"), line("found", id=2, text="x"), line("struck", id=2)]
    earlier = [vars(history.at(history.state.lines))]
    for one in lines:
        rest = {key: value for key, value in one.items() if key not in ("t", "event")}
        history.append(str(one["event"]), **rest)
        earlier.append(vars(history.at(history.state.lines)))
        assert earlier[-1] == vars(history.state) == vars(History(history.path).load().state)
    assert [vars(history.at(3 + n)) for n in range(5)] == earlier
    assert [history.at(n).lines for n in range(8)] == list(range(8))


@pytest.mark.parametrize("cut", [2, 20])
def test_a_torn_last_line_is_kept_aside(history: History, cut: int) -> None:
    data = history.path.read_bytes()
    whole = data[: data.rindex(b"\n", 0, -1) + 1]
    history.path.write_bytes(data[:-cut])
    assert History(history.path).load(repair=False).state.iteration == 0
    assert history.path.read_bytes() == data[:-cut], "who only looks repairs nothing"
    assert History(history.path).load().state.iteration == 0
    assert history.path.read_bytes() == whole
    kept = history.path.with_name("_history.jsonl.torn")
    assert kept.read_bytes() == data[len(whole) : -cut] + b"\n"
    History(history.path).load().append("stop", exit=1)
    assert History(history.path).load().state.stopped == (1, "")


def test_only_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "_history.jsonl"
    path.write_bytes(b'{"event": "sess')
    assert vars(History(path).load().state) == vars(SessionState())
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
    assert f"{history.path} line 2" in str(raised.value) and "repair or remove" in str(raised.value)
    assert raised.value.exit_code == 2
    assert history.path.read_bytes() == before, "nothing is lost"


def test_what_is_no_file_is_no_empty_history(tmp_path: Path) -> None:
    path = tmp_path / "_history.jsonl"
    path.symlink_to("elsewhere")
    with pytest.raises(UserError, match="put the history back"):
        History(path).load()


@pytest.mark.parametrize("how", ["emptied", "more", "gone", "link", "folder"])
def test_the_record_comes_back_from_our_own_copy(history: History, how: str) -> None:
    """Whatever a child did to the file, line by line as we wrote it, and the other one is kept."""
    mine = History(history.path).load()
    assert not mine.restore(), "as we left it"
    mine.append("start")
    data, path = mine.path.read_bytes(), mine.path
    if how == "more":
        path.write_bytes(data + b'{"event": "approved"}\n')
    elif how == "emptied":
        path.write_bytes(b"")
    else:
        path.unlink()
    if how == "link":
        path.symlink_to("/dev/null")
    if how == "folder":
        path.mkdir()
    assert mine.restore() and not mine.restore()
    assert path.read_bytes() == data and not path.is_symlink()
    assert len(list(path.parent.glob("_history.jsonl.kept-*"))) == (how != "gone")
    mine.append("stop", exit=1)
    assert vars(History(path).load().state) == vars(mine.state)


FULL = """
from samocode.record.history import History
history = History(path).load()
try:
    history.append("task", kind="note", text="n" * 9000)
except OSError as error:
    print(error.errno is not None, len(history.state.texts))
"""


def test_a_full_disk_leaves_the_record_as_it_was(history: History) -> None:
    before = history.path.read_bytes()
    done = on_a_full_disk(FULL, history.path)
    assert done.stdout.split() == ["True", "1"], done.stderr
    assert history.path.read_bytes() == before
