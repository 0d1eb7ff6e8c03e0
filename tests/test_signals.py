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
from samocode.decide.signal import PHASES, Signal, SignalContext
from samocode.pages.names import SIGNAL
from samocode.record import untrusted
from tests.test_files import SPOILT

NOWHERE = SignalContext(Path("/nowhere"), "planning")
DONE = {"status": "done", "summary": "s"}
PLAN = {"status": "waiting", "for": "plan_approval", "plan": "plan.md"}
ANSWERS = {"status": "waiting", "for": "qa_answers"}


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
    ],
)  # fmt: skip
def test_bad_by_form(value: Any, says: str) -> None:
    signal, problems = judged(value)
    assert signal is None and problems and says in problems


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"status": "continue"}, Signal("continue")),
        ({"status": "continue", "phase": None, "extra": [1]}, Signal("continue")),
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
        ({"status": "waiting", "for": "human_action", "phase": "quality"}, {"open_questions": (1,)},
            "needs an approved plan"),
        ({"status": "blocked", "reason": "r", "phase": "quality"}, {}, None),
        (ANSWERS, {"open_questions": (1,)}, None),
        (ANSWERS, {}, "open question in _qa.md"),
        (ANSWERS, {"open_questions": (1, 2), "unsuggested": (2,)},
            "Q2 in _qa.md has no line `Suggested:`"),
        (ANSWERS, {"open_questions": (1,), "question_problems": ("Q1 stands twice.",)},
            "Q1 stands twice."),
        (ANSWERS, {"question_problems": ("Q1 is new.",)}, "Q1 is new."),
        ({"status": "waiting", "for": "human_action"}, {"open_questions": (1,), "unsuggested": (1,
            )}, None),
        ({"status": "waiting", "for": "human_action"}, {}, "open question"),
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


KEYS = ["status", "phase", "for", "plan", "reason", "needs", "summary", "x"]
WORDS = ["continue", "Continue", "done", "blocked", "waiting", *PHASES, "qa_answers", "plan.md", ""]
anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
        | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner,
        max_size=5),
    max_leaves=12,
)  # fmt: skip


def says_continue(data: bytes) -> bool:
    """Whether these bytes are a JSON object whose status is exactly that."""
    return untrusted.mapping(untrusted.parse(data)).get("status") == "continue"


@settings(deadline=None)  # a loaded machine is no bug
@given(
    anything | st.dictionaries(st.sampled_from(KEYS), anything),
    st.sampled_from(PHASES),
    st.booleans(),
)
def test_any_json_value(value: Any, phase: str, approved: bool) -> None:
    context = SignalContext(Path("/nowhere"), phase, approved=approved, open_questions=(1,))
    signal, problems = judged(value, context)
    assert (signal is None) == bool(problems)
    if signal and signal.status == "continue":
        assert value["status"] == "continue"
        assert signal.phase is None or signal.phase in PHASES


@settings(deadline=None)  # a loaded machine is no bug
@given(st.binary() | anything.map(lambda value: json.dumps(value).encode()[:-1]))
def test_any_bytes(data: bytes) -> None:
    signal, problems = judged(data)
    assert (signal is None) == bool(problems)
    assert signal is None or signal.status != "continue" or says_continue(data)
