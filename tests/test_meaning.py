"""What an answer counts as: no answer yet, a yes, a change request, options, or free text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode.pages.answers import Added
from samocode.pages.meaning import is_yes, missing, nothing_yet, taken
from samocode.record.state import APPROVE, CHANGE, Question

QA = Question(1, "qa", "Which?", "so", ("JWT", "Server sessions", "Both"), "A")
FREE = Question(2, "qa", "Name?", "so", (), "foo")
PLAN = Question(3, "approval", "Approve the plan plan.md?", "so", ("Approve", "Change: say what"))

A_YES = [
    "a", "A", "y", "Y!", "yes", "Yes.", "YES", "ok", "OK.", "Okay", "approve", "**Approved**",
    "`LGTM`", "lgtm!!", " yes\n", '"yes"', "\u201eyes\u201c", "_ok_", "**yes.**", "«ok»",
    "A)", "yes\u00a0", "OK\u3002", "A) Approve\nyes", "ok\n\nlgtm!",
]  # fmt: skip
NO_YES = [
    "yes, but smaller", "approve?  no", "no", "not approved", "B", "ja", "yes yes", "yes please",
    "A a", "aye", "okay then", "ok?\nremove phase 2", "I approve", "yes\n\nbut not phase 3",
    "y\u0435s", "A?", "~~yes~~", "[ ] A", "[ ] yes", "~~A) Approve~~", "A) Approve?", "A, B",
    "A) Approve the rest", "> yes?", "yes 2", "yes <but>", "y/n", "yes -", "👎 yes", "A&B",
]  # fmt: skip


@pytest.mark.parametrize("text", A_YES)
def test_a_yes(text: str) -> None:
    """These texts approve. A comment beside the yes is ignored."""
    assert is_yes(text) and taken(PLAN, Added(f"{text}<!-- no -->")) == APPROVE
    assert not missing(PLAN, text) and not nothing_yet(text)


@pytest.mark.parametrize("text", NO_YES)
def test_not_a_yes(text: str) -> None:
    assert not is_yes(text) and taken(PLAN, Added(text)) == CHANGE


def test_a_marked_option_of_a_plan() -> None:
    assert taken(PLAN, Added("A) Approve", ("A",))) == APPROVE
    assert taken(PLAN, Added("A) Approve")) == APPROVE, "the printed line, typed"
    assert taken(PLAN, Added("A) Approve\nB) Change: say what", ("A", "B"))) == CHANGE
    assert taken(PLAN, Added("B) Change: say what", ("B",))) == CHANGE
    assert taken(PLAN, Added("A) Approve\nbut rename it")) == CHANGE
    assert taken(PLAN, Added("B) Change: say what\nyes")) == CHANGE


@pytest.mark.parametrize("text", ["ok:", "yes -", "**yes,**", "yes \u2014", "yes, <!-- x -->"])
def test_a_yes_that_breaks_off(text: str) -> None:
    assert missing(PLAN, text) and not missing(QA, text)


@pytest.mark.parametrize("text", ["yes", "no,", "yes, but", "yes, rename it,"])
def test_whole(text: str) -> None:
    assert not missing(PLAN, text)


@pytest.mark.parametrize(
    "text",
    ["", " \n", "...", "?", "tbd.", "*todo*", "(Pending)", "<!-- B -->", "```\n```", "---", "+",
     "=>", "<!-- a -->\n<!-- b -->", "**", "- [ ]", "~~B~~", "TODO:", "> tbd", "\u3002"],
)  # fmt: skip
def test_no_answer_yet(text: str) -> None:
    assert nothing_yet(text) and missing(FREE, text)


@pytest.mark.parametrize(
    "text",
    ["5.", "1. ", "todo: ask Eve", "tbd tbd", "👍", "✓", "好", "no", "~~A~~ B", "x", "<!-- a --> B",
     "<!-- B", "~~~\ncode\n~~~", "```\ncode\n```", "+1", "ę", "\u0915\u0940", "~5 to ~~ 6", "€"],
)  # fmt: skip
def test_an_answer(text: str) -> None:
    assert not nothing_yet(text)


@pytest.mark.parametrize(
    ("text", "letters"),
    [("b", "B"), ("B.", "B"), ("B)", "B"), ("**B**", "B"), ("A, B", "AB"), ("a + c", "AC"),
     ("B, B", "B"), ("A) JWT", "A"), ("B) Server sessions", "B"), ("D", ""), ("A?", ""),
     ("~~A~~", ""), ("[ ] A", ""), ("not A", ""), ("JWT", ""), ("A, D", ""), ("a session", ""),
     ("A) Server sessions", "")],
)  # fmt: skip
def test_letters_alone_name_options(text: str, letters: str) -> None:
    assert taken(QA, Added(text)) == tuple(letters)
    assert taken(FREE, Added(text)) == ()


@pytest.mark.parametrize(("text", "lacks"), [("d", True), ("*E*", True), ("Y", False), ("n", False),
    ("C", False), ("5", False), ("是", False), ("D?", False), ("D, please", False)])  # fmt: skip
def test_a_letter_without_an_option_is_asked_again(text: str, lacks: bool) -> None:
    assert bool(missing(QA, text)) == lacks and not missing(FREE, text)


def test_marked_options_need_no_words() -> None:
    assert taken(QA, Added("A) JWT\nC) Both", ("A", "C"))) == ("A", "C")
    assert taken(QA, Added("A) JWT\nwith short lives")) == ()


@given(st.text(), st.sampled_from([QA, FREE, PLAN]))
def test_any_text_counts_as_one_thing(text: str, question: Question) -> None:
    took = taken(question, Added(text))
    if question.kind == "approval":
        assert took in (APPROVE, CHANGE) and (took == APPROVE) <= is_yes(text)
        assert not (is_yes(text) and missing(question, text))
    else:
        assert set(took) <= set("ABC"[: len(question.options)])
    assert not (is_yes(text) and nothing_yet(text))
