"""`_signal.json`: which signals are valid, and that nothing unclear ever counts as `continue`."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode.decide import signal as signals
from samocode.decide.signal import PHASES, Signal, SignalCheck
from samocode.pages.names import SIGNAL
from samocode.record import untrusted
from samocode.record.state import Approval, Question, SessionState, Worktree, WorktreeStatus

NOWHERE = Path("/nowhere")
TREE = Worktree(Path("/tree"), "mine", "main", "h")
DONE = {"status": "done", "summary": "s"}
PLAN = {"status": "waiting", "for": "plan_approval", "plan": "plan.md"}
ASK = {"title": "Which?", "why": "It matters.", "suggested": "foo"}
OPTIONS = {"options": ["JWT", "Sessions"], "suggested": "A", "because": "it fits"}
OBJECT = '_signal.json must hold one JSON object, like {"status": "continue"}.'
STATUS = "`status` must be one of continue, waiting, blocked, done; it is "
CUT = "z" * 76 + "...."  # the end of a value of 80 characters or more, and the full stop


def asking(*asked: Any, waits_for: str = "qa_answers", **more: Any) -> dict[str, Any]:
    """A waiting signal with these questions."""
    return {"status": "waiting", "for": waits_for, "questions": list(asked)} | more


def session(phase: str = "planning", approved: bool = False, git: bool = True) -> SessionState:
    plan = Approval("plan.md", "d", "c") if approved else None
    return SessionState(phase=phase, approved=plan, worktree=TREE if git else None)


def judged(
    value: Any, folder: Path = NOWHERE, dirty: str = "", branch: str = "mine", **now: Any
) -> tuple[Signal | None, str]:
    """The signal if it is valid, and the problems as one text."""
    state = session(**now)
    status = WorktreeStatus("h", dict.fromkeys(dirty, "x"), branch) if state.worktree else None
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    signal, problems = signals.parse(data)
    if signal:
        problems = signals.judge(signal, folder, state, status)
    return (None if problems else signal), "\n".join(problems)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b'{"status": "continue"} {"status": "continue"}', OBJECT),
        (b"[" * 60_000, OBJECT),
        (b'{"status": ' + b"9" * 5000 + b"}", OBJECT),
        (["continue"], OBJECT),
        ({"phase": "testing"}, STATUS + "null"),
        (b'{"status": NaN}', STATUS + "NaN"),
        ({"status": "continue "}, STATUS),
        ({"status": "z" * 78}, STATUS + '"' + CUT),
        ({"status": "continue", "phase": "coding"}, "`phase` must be one of investigation, req"),
        ({"status": "blocked", "reason": " \n"}, "`blocked` needs `reason`"),
        ({"status": "done"}, "`done` needs `summary`"),
        ({"status": "waiting"}, "`waiting` needs `for`"),
        ({"status": "waiting", "for": "godot"}, "`for` must be one of qa_answers, plan_approval"),
        ({"status": "waiting", "for": ["qa_answers"]}, "`for` must be text"),
        ({"status": "continue", "question": 1}, '"question" is not a key (nearest: questions).'),
        ({"status": "continue", "questions": 0}, "`questions` are only allowed in waiting"),
        (PLAN | {"questions": [ASK]}, "`questions` are only allowed in waiting"),
    ],
)  # fmt: skip
def test_bad_form(value: Any, says: str) -> None:
    signal, problems = judged(value)
    assert signal is None and says in problems


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'\xef\xbb\xbf{"status":"continue"}\r\n', Signal("continue")),
        (b'{"status": "blocked", "reason": "\\ud800 \\u0000", "needs": "n"}',
            Signal("blocked", reason="\ud800 \0", needs="n")),
        (b'{"status": "continue", "status": "blocked", "reason": "r"}',
            Signal("blocked", reason="r")),
        (asking({"title": "t", "why": "w"}, waits_for="human_action"),
            Signal("waiting", waits_for="human_action",
                questions=(Question(0, "action", "t", "w"),))),
    ],
)  # fmt: skip
def test_good_form(value: Any, expected: Signal) -> None:
    assert judged(value)[0] == expected


def named(plan: str | None) -> dict[str, Any]:
    return PLAN | {"plan": plan}


@pytest.mark.parametrize(
    ("value", "now", "says"),
    [
        ({"status": "continue", "phase": "implementation"}, {}, "needs an approved plan"),
        ({"status": "continue", "phase": "testing"}, {"approved": True, "git": False},
            "needs a git repository"),
        (asking(ASK, phase="quality"), {}, "needs an approved plan"),
        (asking(ASK, phase="quality"), {"approved": True}, None),
        ({"status": "blocked", "reason": "r", "phase": "quality"}, {}, None),
        (PLAN, {}, None),
        (PLAN, {"phase": "implementation", "approved": True},
            "allowed only in phase planning; this is implementation"),
        (named(None), {}, "needs `plan`"),
        (named("empty.md"), {}, "empty.md is not in the session folder, or empty"),
        (named("../plan.md"), {}, 'plain name of a .md file in the session folder; it is "../p'),
        (named("plan.txt"), {}, "plain name"),
        (named(".md"), {}, "plain name"),
        (named("line\nend.md"), {}, "plain name"),
        (named("fifo.md"), {}, "plain file"),
        (named("x" * 300 + ".md"), {}, "The plan x"),
        (DONE, {"phase": "investigation"}, None),
        (DONE, {"phase": "planning"}, "this is planning: signal waiting for plan_approval"),
        (DONE, {"phase": "planning", "approved": True}, 'signal continue with "phase": "done"'),
        (DONE, {"phase": "planning", "git": False}, None),
        (PLAN, {"git": False}, "research only: end it with done"),
        (DONE, {"phase": "done", "dirty": "a"}, "not committed: a"),
        (DONE, {"phase": "done", "branch": "other"}, "other is checked out, not the session's"),
        ({"status": "continue"}, {"branch": "other"}, "switch back, or signal blocked"),
        ({"status": "blocked", "reason": "r"}, {"branch": "other"}, None),
    ],
)  # fmt: skip
def test_judged_by_phase_files_and_git(
    tmp_path: Path, value: dict[str, Any], now: dict[str, Any], says: str | None
) -> None:
    """A line end in the name of a plan would add lines to the question."""
    for name in ("plan.md", "line\nend.md"):
        (tmp_path / name).write_text("# Plan\n")
    (tmp_path / "empty.md").write_text(" \n")
    os.mkfifo(tmp_path / "fifo.md")
    signal, problems = judged(value, tmp_path, **now)
    assert (signal is not None) == (says is None), problems
    assert says is None or says in problems


def test_a_missing_file_is_told_from_a_bad_one(tmp_path: Path) -> None:
    planning, last = session(), session("done")
    check = signals.read(tmp_path, planning, None, {})
    assert check.missing and "No _signal.json: write it" in check.problems[0]
    (tmp_path / SIGNAL).write_text("")
    assert signals.read(tmp_path, planning, None, {}) == SignalCheck(None, (OBJECT,))
    (tmp_path / SIGNAL).write_text('{"status": "continue"}' + " " * 65_536)
    check = signals.read(tmp_path, planning, None, {})
    assert "64 KB: remove it and write one JSON object" in check.problems[0] and not check.missing
    (tmp_path / SIGNAL).write_text('{"status": "continue", "phase": "done"}')
    assert "approved plan" in signals.read(tmp_path, planning, None, {}).problems[0]
    (tmp_path / SIGNAL).write_text('{"status": "done", "summary": "s"}')
    assert signals.read(tmp_path, last, None, {}) == SignalCheck(Signal("done", summary="s"))


@pytest.mark.parametrize("depth", [100, 980, 990, 100_000])
def test_deep_nesting(depth: int) -> None:
    """Near the interpreter's limit, a value can be parsed but not printed."""
    for value in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        assert judged(b'{"status": ' + value + b"}")[0] is None


WHICH, MATTERS, TWO = "Which?", "It matters.", ("JWT", "Sessions")
SIX = ("ab", "a b", "c", "d", "e", "f")


GOOD: list[tuple[Any, tuple[Any, ...]]] = [
    (ASK | {"because": ""}, (WHICH, MATTERS, (), "foo")),
    (ASK | OPTIONS | {"suggested": " b "}, (WHICH, MATTERS, TWO, "b", "it fits")),
    (ASK | {"suggested": "B", "options": []}, (WHICH, MATTERS, (), "B")),
    (ASK | {"options": SIX, "suggested": "JWT, short"}, (WHICH, MATTERS, SIX, "JWT, short")),
    ({"title": "t" * 200, "why": "w" * 600, "options": None, "because": None,
        "suggested": "s" * 200}, ("t" * 200, "w" * 600, (), "s" * 200)),
    ({"title": " 好\u00a0\U0001f44d ", "why": "\u0915\u0940 \ue000", "suggested": "½"},
        ("好\u00a0\U0001f44d", "\u0915\u0940 \ue000", (), "½")),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "expected"), GOOD)
def test_a_good_question(asked: Any, expected: tuple[Any, ...]) -> None:
    """A signal may have eight of them."""
    signal, problems = judged(asking(*[asked] * 8))
    assert signal and signal.questions == (Question(0, "qa", *expected),) * 8, problems


@pytest.mark.parametrize("waits_for", ["qa_answers", "human_action"])
@pytest.mark.parametrize("asked", [None, [], "Which?"])
def test_a_wait_without_questions_is_refused_with_an_example(waits_for: str, asked: Any) -> None:
    """The example is a valid signal with every field."""
    signal, problems = judged({"status": "waiting", "for": waits_for, "questions": asked})
    assert signal is None and "\n" not in problems and "a list of 1 to 8: {" in problems
    shown = judged(("{" + problems.partition("{")[2]).encode())[0]
    assert shown and shown.waits_for == waits_for and len(shown.questions) == 1
    assert bool(shown.questions[0].because) == (waits_for == "qa_answers")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ([ASK] * 9, "`questions` has 9: ask at most 8."),
        ([7], "Question 1: it must be an object."),
        ([ASK, {}], "Question 2: `title` is missing.\nQuestion 2: `why` is missing.\n"
            "Question 2: `suggested` is missing."),
        ([ASK | {"title": "?!"}], 'Question 1: `title` says nothing; it is "?!".'),
        ([ASK | {"why": ["z" * 76]}], "Question 1: `why` must be text; it is [\"" + CUT[1:]),
        ([ASK | {"title": "t" * 201}], "Question 1: `title` has 201 characters; at most 200 fit."),
        ([ASK | {"why": "w" * 601}], "Question 1: `why` has 601 characters; at most 600 fit."),
        ([ASK | {"Option": 1}], 'Question 1: "Option" is not a key (nearest: options).'),
        ([ASK | {"options": ["one"]}], "Question 1: `options` must be a list of 2 to 6 texts"),
        ([ASK | {"options": list("abcdefg")}], "2 to 6 texts"),
        ([ASK | {"options": ["a", 1]}], "Question 1: each option must be text; it is 1."),
        ([ASK | {"options": ["a  b", "A b"]}], "two `options` are the same."),
        ([ASK | OPTIONS | {"suggested": "c"}], "`suggested` is C, and there is no such option."),
        ([ASK | {"suggested": "tbd"}], "`suggested` must be usable as an answer"),
        ([ASK | {"suggested": "same"}], "`suggested` must be usable as an answer"),
        ([ASK | {"suggested": "Before."}], 'usable as an answer; it is "Before.".'),
    ],
)  # fmt: skip
def test_a_bad_question(asked: list[Any], says: str) -> None:
    signal, problems = judged(asking(*asked))
    assert signal is None and says in problems


@pytest.mark.parametrize("key", ["title", "why", "suggested", "because", "options"])
@pytest.mark.parametrize("char", "\n\r\t\0\x1b\x7f\x85\x9b\u2028\u2029\ud800", ids=ascii)
def test_one_line_without_control_characters(key: str, char: str) -> None:
    text = f"a{char}b"
    signal, problems = judged(asking(ASK | {key: [text, "b"] if key == "options" else text}))
    assert signal is None and problems.count("\n") == 0
    assert ("control characters" in problems) or (char == "\ud800" and "Unicode" in problems)


KEYS = ["status", "phase", "for", "plan", "reason", "needs", "summary", "questions", "x"]
ASKED = ["title", "why", "options", "suggested", "because", "x"]
WORDS = [
    "continue", "Continue", "done", "blocked", "waiting", *PHASES, "qa_answers", "human_action",
    "plan.md", "", "A", "\ud800", "a\nb", "x" * 700,
]  # fmt: skip
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
        | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*KEYS, *ASKED]),
        inner, max_size=5),
    max_leaves=12,
)  # fmt: skip
near = st.dictionaries(st.sampled_from(ASKED), anything).map(lambda more: ASK | OPTIONS | more)
waiting = st.tuples(
    st.lists(near | st.just(ASK) | anything, max_size=9),
    st.sampled_from(["qa_answers", "human_action", "plan_approval"]),
    st.dictionaries(st.sampled_from(KEYS[1:]), anything, max_size=1),
).map(lambda drawn: asking(*drawn[0], waits_for=drawn[1]) | drawn[2])


@given(
    anything | st.dictionaries(st.sampled_from(KEYS), anything) | waiting,
    st.sampled_from(PHASES),
    st.booleans(),
)
def test_any_json_value(value: Any, phase: str, approved: bool) -> None:
    """It is a valid signal or has printable problems. Only `continue` means continue."""
    signal, problems = judged(value, phase=phase, approved=approved)
    assert (signal is None) == bool(problems)
    assert "\ud800" not in problems
    if signal and signal.status == "continue":
        assert value["status"] == "continue"
        assert signal.phase is None or signal.phase in PHASES
    for text in signal[1:-1] if signal else ():
        assert text is None or isinstance(text, str)
    for one in signal.questions if signal else ():
        for text in (one.title, one.why, one.suggested, one.because, *one.options):
            assert isinstance(text, str) and text == text.strip()
            assert len(text) <= 600 and not set(text) & set("\n\r\t\0\ud800")
        assert one.title and one.why and len(one.options) in (0, 2, 3, 4, 5, 6)
        assert one.suggested or (signal and signal.waits_for == "human_action")


@given(st.binary() | anything.map(lambda value: json.dumps(value).encode()[:-1]))
def test_any_bytes(data: bytes) -> None:
    """They mean continue only as a JSON object whose status is exactly `continue`."""
    signal, problems = judged(data)
    assert (signal is None) == bool(problems)
    status = untrusted.mapping(untrusted.parse(data)).get("status")
    assert signal is None or signal.status != "continue" or status == "continue"
