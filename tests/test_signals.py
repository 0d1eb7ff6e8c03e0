"""`_signal.json`: what stands, what does not, and that nothing unclear is ever `continue`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samocode.decide import signal as signals
from samocode.decide.questions import NewQuestion
from samocode.decide.signal import PHASES, Signal, SignalContext
from samocode.pages.names import SIGNAL
from samocode.record import untrusted
from tests.test_files import SPOILT

NOWHERE = SignalContext(Path("/nowhere"), "planning")
DONE = {"status": "done", "summary": "s"}
PLAN = {"status": "waiting", "for": "plan_approval", "plan": "plan.md"}
ASK = {"title": "Which?", "why": "It matters.", "suggested": "foo"}
OPTIONS = {"options": ["JWT", "Sessions"], "suggested": "A", "because": "it fits"}


def asking(*asked: Any, waits_for: str = "qa_answers", **more: Any) -> dict[str, Any]:
    """A waiting signal with these questions."""
    return {"status": "waiting", "for": waits_for, "questions": list(asked)} | more


def judged(value: Any, context: SignalContext = NOWHERE) -> tuple[Signal | None, str]:
    """The signal if it may stand, and all its problems as one text."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    signal, problems = signals.parse(data)
    if signal:
        problems = signals.judge(signal, context)
    return (None if problems else signal), "\n".join(problems)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"", "JSON object"),
        (b"   ", "JSON object"),
        (b"continue", "JSON object"),
        (b"\xff\xfe\xfa", "JSON object"),
        (b'{"status": "continue"', "JSON object"),
        (b'{"status": "continue"} {"status": "continue"}', "JSON object"),
        (b"```json\n{\"status\": \"continue\"}\n```", "JSON object"),
        (b"[" * 60_000, "JSON object"),
        (b'{"a":' * 10_000, "JSON object"),
        (b'{"status": ' + b"9" * 5000 + b"}", "JSON object"),
        (b"{}", ""),
        (b"null", "JSON object"),
        (b'"continue"', "JSON object"),
        (["continue"], "JSON object"),
        ({"phase": "testing"}, "`status` must be one of continue"),
        ({"status": None}, "`status` must be"),
        ({"status": ["continue"]}, "`status` must be"),
        ({"status": {"continue": 1}}, "`status` must be"),
        ({"status": True}, "it is true"),
        (b'{"status": NaN}', "it is NaN"),
        (b'{"status": ' + b"9" * 4000 + b"}", "it is 999"),
        ({"status": "Continue"}, '"Continue"'),
        ({"status": "continue "}, "`status` must be"),
        ({"status": "complete"}, '"complete"'),
        ({"Status": "continue"}, "`status` must be"),
        ({"status": "continue", "phase": "coding"}, "`phase` must be one of"),
        ({"status": "continue", "phase": ""}, "`phase` must be one of"),
        ({"status": "continue", "phase": 7}, "`phase` must be text"),
        ({"status": "continue", "phase": ["testing"]}, "`phase` must be text"),
        ({"status": "blocked"}, "`blocked` needs `reason`"),
        ({"status": "blocked", "reason": " \n"}, "`blocked` needs `reason`"),
        ({"status": "blocked", "reason": {"a": 1}}, "`reason` must be text"),
        ({"status": "blocked", "reason": "r", "needs": 3}, "`needs` must be text"),
        ({"status": "done"}, "`done` needs `summary`"),
        ({"status": "waiting"}, "`waiting` needs `for`"),
        ({"status": "waiting", "for": "godot"}, "`for` must be one of"),
        ({"status": "waiting", "for": ["qa_answers"]}, "`for` must be text"),
        ({"status": "continue", "phse": "testing"}, '"phse" is not a key (nearest: phase).'),
        ({"status": "continue", "\ud800": 1}, '"\\ud800" is not a key.'),
        ({"status": "continue", "questions": [ASK]}, "`questions` go with waiting"),
        ({"status": "continue", "for": "godot", "questions": [ASK]}, "`questions`"),
        ({"status": "done", "summary": "s", "questions": {"a": 1}}, "`questions`"),
        ({"status": "continue", "questions": 0}, "`questions`"),
        (PLAN | {"questions": [ASK]}, "`questions` go with waiting"),
    ],
)  # fmt: skip
def test_bad_by_form(value: Any, says: str) -> None:
    signal, problems = judged(value)
    assert signal is None and problems and says in problems


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"status": "continue"}, Signal("continue")),
        ({"status": "continue", "phase": None, "questions": None}, Signal("continue")),
        (b'\xef\xbb\xbf{"status":"continue"}\r\n', Signal("continue")),
        ({"status": "continue", "phase": "requirements"}, Signal("continue", "requirements")),
        ({"status": "continue", "phase": "done"}, None),
        ({"status": "blocked", "reason": "r", "needs": "n"}, Signal("blocked", reason="r",
            needs="n")),
        (b'{"status": "blocked", "reason": "\\ud800 \\u0000"}', Signal("blocked",
            reason="\ud800 \0")),
        (b'{"status": "continue", "status": "blocked", "reason": "r"}', Signal("blocked",
            reason="r")),
    ],
)  # fmt: skip
def test_good_by_form(value: Any, expected: Signal | None) -> None:
    assert judged(value)[0] == expected


@pytest.mark.parametrize(
    ("value", "context", "says"),
    [
        ({"status": "continue", "phase": "implementation"}, {"approved": True}, None),
        ({"status": "continue", "phase": "implementation"}, {}, "needs an approved plan"),
        ({"status": "continue", "phase": "done"}, {}, "needs an approved plan"),
        ({"status": "continue", "phase": "testing"}, {"approved": True, "git": False},
            "needs a git repository"),
        (asking(ASK, phase="quality"), {}, "needs an approved plan"),
        (asking(ASK, phase="quality"), {"approved": True}, None),
        ({"status": "blocked", "reason": "r", "phase": "quality"}, {}, None),
        (asking(ASK), {"phase": "implementation"}, None),
        (PLAN, {}, None),
        (PLAN, {"phase": "implementation", "approved": True},
            "asked for in phase planning; this is implementation"),
        (PLAN | {"plan": None}, {}, "needs `plan`"),
        (PLAN | {"plan": "  "}, {}, "needs `plan`"),
        (PLAN | {"plan": "missing.md"}, {}, "not in the session folder, or empty"),
        (PLAN | {"plan": "empty.md"}, {}, "or empty"),
        (PLAN | {"plan": "../plan.md"}, {}, "plain name"),
        (PLAN | {"plan": "/etc/passwd"}, {}, "plain name"),
        (PLAN | {"plan": "sub/plan.md"}, {}, "plain name"),
        (PLAN | {"plan": "plan.txt"}, {}, "plain name"),
        (PLAN | {"plan": "_overview.md"}, {}, "plain name"),
        (PLAN | {"plan": ".md"}, {}, "plain name"),
        (PLAN | {"plan": "link.md"}, {}, "plain file"),
        (PLAN | {"plan": "fifo.md"}, {}, "plain file"),
        (PLAN | {"plan": "folder.md"}, {}, "plain file"),
        (PLAN | {"plan": "nul\0.md"}, {}, "plan"),
        (PLAN | {"plan": "x" * 300 + ".md"}, {}, "plan"),
        (PLAN | {"plan": "\ud800.md"}, {}, "plan"),
        (DONE, {"phase": "done"}, None),
        (DONE, {"phase": "investigation"}, None),
        (DONE, {"phase": "requirements", "git": False}, None),
        (DONE, {"phase": "planning"}, "done is legal in"),
        (DONE, {"phase": "implementation"}, '"phase": "done"'),
        (DONE, {"phase": "done", "uncommitted": ("a.py",)}, "not committed: a.py"),
        (DONE, {"phase": "done", "uncommitted": tuple("abcdefghijkl")}, "and 2 more"),
        ({"status": "continue"}, {"uncommitted": ("a.py",)}, None),
    ],
)  # fmt: skip
def test_judged_by_what_stands_around(
    tmp_path: Path, value: dict[str, Any], context: dict[str, Any], says: str | None
) -> None:
    (tmp_path / "plan.md").write_text("# Plan\n")
    (tmp_path / "empty.md").write_text(" \n")
    (tmp_path / "link.md").symlink_to("plan.md")
    os.mkfifo(tmp_path / "fifo.md")
    (tmp_path / "folder.md").mkdir()
    signal, problems = judged(value, SignalContext(tmp_path, "planning")._replace(**context))
    assert (signal is not None) == (says is None), problems
    assert says is None or says in problems


@pytest.mark.parametrize(
    "name", ["p?\nAnswer: yes\n## Q9: x.md", "p\rx.md", "p\x1b[2J.md", "p\u2028.md", "p\x85.md"]
)
def test_a_plan_with_a_line_end_in_its_name(tmp_path: Path, name: str) -> None:
    """Such a name would write its own lines into the approval question, an answer for example."""
    (tmp_path / name).write_text("# Plan\n")
    assert judged(PLAN | {"plan": name}, SignalContext(tmp_path, "planning"))[0] is None


@pytest.mark.parametrize("kind", SPOILT)
def test_what_is_no_plain_file_is_a_problem_not_a_signal(tmp_path: Path, kind: str) -> None:
    SPOILT[kind](tmp_path / SIGNAL)
    check = signals.read(SignalContext(tmp_path, "planning"))
    assert check.signal is None and not check.missing
    assert len(check.problems) == 1 and "_signal.json" in check.problems[0]


def test_missing_is_told_from_rubbish(tmp_path: Path) -> None:
    context = SignalContext(tmp_path, "planning")
    assert signals.read(context).missing
    (tmp_path / SIGNAL).write_text("")
    assert not signals.read(context).missing
    (tmp_path / SIGNAL).write_text('{"status": "continue"}' + " " * 65_536)
    assert "64 KB" in signals.read(context).problems[0]
    (tmp_path / SIGNAL).write_text('{"status": "continue"}')
    assert signals.read(context) == signals.SignalCheck(Signal("continue"))


@pytest.mark.parametrize("depth", [100, 300, 900, 980, 990, 3000, 20_000, 100_000])
def test_deep_nesting(depth: int) -> None:
    """Near the interpreter's limit what can be read may not be what can be shown."""
    for value in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        assert judged(b'{"status": ' + value + b"}")[0] is None


WHICH, MATTERS, TWO = "Which?", "It matters.", ("JWT", "Sessions")
GOOD: list[tuple[Any, tuple[Any, ...]]] = [
    (ASK, (WHICH, MATTERS, (), "foo")),
    (ASK | OPTIONS, (WHICH, MATTERS, TWO, "A", "it fits")),
    (ASK | {"suggested": "B", "options": []}, (WHICH, MATTERS, (), "B")),
    (ASK | OPTIONS | {"suggested": " b "}, (WHICH, MATTERS, TWO, "b", "it fits")),
    (ASK | OPTIONS | {"suggested": "JWT, short"}, (WHICH, MATTERS, TWO, "JWT, short", "it fits")),
    ({"title": "t" * 200, "why": "w" * 600, "options": None, "because": None,
        "suggested": "s" * 200}, ("t" * 200, "w" * 600, (), "s" * 200)),
    ({"title": " 好 \U0001f44d ", "why": "\u0915\u0940", "suggested": "½"},
        ("好 \U0001f44d", "\u0915\u0940", (), "½")),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "expected"), GOOD)
def test_questions_as_they_are_asked(asked: Any, expected: tuple[Any, ...]) -> None:
    signal, problems = judged(asking(asked))
    assert signal and signal.questions == (NewQuestion(*expected),), problems
    bare = judged(asking({"title": "t", "why": "w"}, waits_for="human_action"))[0]
    assert bare and bare.questions == (NewQuestion("t", "w"),)


@pytest.mark.parametrize("waits_for", ["qa_answers", "human_action"])
@pytest.mark.parametrize(
    "more", [{}, {"questions": []}, {"questions": {}}, {"questions": "Which?"}]
)
def test_the_bare_form_is_answered_with_an_example_that_passes(waits_for: str, more: Any) -> None:
    signal, problems = judged({"status": "waiting", "for": waits_for} | more)
    assert signal is None and "\n" not in problems and "a list of 1 to 8: {" in problems
    example = "{" + problems.partition("{")[2]
    shown = judged(example.encode())[0]
    assert shown and len(shown.questions) == 1 and shown.waits_for == waits_for


BAD_QUESTIONS: list[tuple[list[Any], str]] = [
    ([ASK] * 9, "`questions` has 9: ask at most 8."),
    ([7], "Question 1: it must be an object."),
    ([ASK, {}], "Question 2: `title` is missing.\nQuestion 2: `why` is missing.\n"
        "Question 2: `suggested` is missing."),
    ([ASK | {"title": None}], "Question 1: `title` is missing."),
    ([ASK | {"title": " "}], 'Question 1: `title` says nothing; it is " ".'),
    ([ASK | {"title": "?!"}], 'Question 1: `title` says nothing; it is "?!".'),
    ([ASK | {"title": 5}], "Question 1: `title` must be text; it is 5."),
    ([ASK | {"why": ["a"]}], 'Question 1: `why` must be text; it is ["a"].'),
    ([ASK | {"why": False}], "Question 1: `why` must be text; it is false."),
    ([ASK | {"title": "t" * 201}], "Question 1: `title` has 201 characters; at most 200 fit."),
    ([ASK | {"why": "w" * 601}], "Question 1: `why` has 601 characters; at most 600 fit."),
    ([ASK | {"because": "b" * 201}], "`because` has 201"),
    ([ASK | {"suggested": "b" * 201}], "`suggested` has 201"),
    ([ASK | {"tittle": 1}], 'Question 1: "tittle" is not a key (nearest: title).'),
    ([ASK | {"Option": 1}], 'Question 1: "Option" is not a key (nearest: options).'),
    ([ASK | {"zzz": 1}], 'Question 1: "zzz" is not a key.'),
    ([ASK | {"options": ["one"]}], "Question 1: `options` must be a list of 2 to 6 texts"),
    ([ASK | {"options": list("abcdefg")}], "must be a list of 2 to 6 texts"),
    ([ASK | {"options": "JWT"}], "must be a list of 2 to 6 texts"),
    ([ASK | {"options": {}}], "must be a list of 2 to 6 texts"),
    ([ASK | {"options": 0}], "must be a list of 2 to 6 texts"),
    ([ASK | {"options": ["a", 1]}], "Question 1: each option must be text; it is 1."),
    ([ASK | {"options": ["a", ""]}], "each option says nothing"),
    ([ASK | {"options": ["a", "b" * 201]}], "each option has 201"),
    ([ASK | {"options": ["JWT", "b", " jwt "]}], "Question 1: two `options` say the same."),
    ([ASK | {"options": ["a  b", "A b"]}], "two `options` say the same."),
    ([ASK | OPTIONS | {"suggested": "C"}], "`suggested` is C, and there is no such option."),
    ([ASK | OPTIONS | {"suggested": "c"}], "`suggested` is C, and there is no such option."),
    ([ASK | {"suggested": None}], "Question 1: `suggested` is missing."),
    ([ASK | {"suggested": "tbd"}], "`suggested`"),
    ([ASK | {"suggested": "same"}], "`suggested`"),
    ([ASK | {"suggested": "Before."}], "`suggested`"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "says"), BAD_QUESTIONS)
def test_bad_questions(asked: list[Any], says: str) -> None:
    signal, problems = judged(asking(*asked))
    assert signal is None and says in problems
    assert all((line.endswith(".") and line[:1].isupper()) or line[:1] == "`" for line in
        problems.split("\n"))  # fmt: skip


@pytest.mark.parametrize("key", ["title", "why", "suggested", "because", "options"])
@pytest.mark.parametrize(
    "char", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\ud800"]
)
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


def says_continue(data: bytes) -> bool:
    """Whether these bytes are a JSON object whose status is exactly that."""
    return untrusted.mapping(untrusted.parse(data)).get("status") == "continue"


@settings(deadline=None)  # a loaded machine is no bug
@given(
    anything | st.dictionaries(st.sampled_from(KEYS), anything) | waiting,
    st.sampled_from(PHASES),
    st.booleans(),
)
def test_any_json_value(value: Any, phase: str, approved: bool) -> None:
    context = SignalContext(Path("/nowhere"), phase, approved=approved)
    signal, problems = judged(value, context)
    assert (signal is None) == bool(problems)
    assert "\ud800" not in problems, "it is printed"
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


@settings(deadline=None)  # a loaded machine is no bug
@given(st.binary() | anything.map(lambda value: json.dumps(value).encode()[:-1]))
def test_any_bytes(data: bytes) -> None:
    signal, problems = judged(data)
    assert (signal is None) == bool(problems)
    assert signal is None or signal.status != "continue" or says_continue(data)
