"""What an answer counts as: no answer yet, a yes, a change request, options, or free text."""

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
    "a", "Y!", "Yes.", "OK\u3002", "okay", "approve", "**Approved**", "`LGTM`", " yes\u00a0\n",
    "\u201eyes\u201c", "**yes.**", "«ok»", "A)", "A) Approve\nyes", "ok\n\nlgtm!",
]  # fmt: skip
NO_YES = [
    "yes, but smaller", "approve?  no", "no", "B", "yes yes", "A a", "ok?\nremove phase 2",
    "yes\n\nbut not phase 3", "y\u0435s", "A?", "~~yes~~", "[ ] A", "~~A) Approve~~", "A, B",
    "A) Approve the rest", "> yes?", "yes 2", "yes <but>", "y/n", "👎 yes",
]  # fmt: skip


@pytest.mark.parametrize("text", A_YES)
def test_a_yes(text: str) -> None:
    """These texts approve. A comment beside the yes is ignored."""
    assert is_yes(text) and taken(PLAN, Added(f"{text}<!-- no -->")) == APPROVE
    assert not missing(PLAN, text) and not nothing_yet(text)


@pytest.mark.parametrize("text", NO_YES)
def test_not_a_yes(text: str) -> None:
    assert not is_yes(text) and taken(PLAN, Added(text)) == CHANGE


@pytest.mark.parametrize(
    ("question", "added", "took"),
    [
        (PLAN, Added("A) Approve", ("A",)), APPROVE),
        (PLAN, Added("A) Approve\nB) Change: say what", ("A", "B")), CHANGE),
        (PLAN, Added("B) Change: say what", ("B",)), CHANGE),
        (QA, Added("A) JWT\nC) Both", ("A", "C")), ("A", "C")),
        (QA, Added("A) JWT\nwith short lives"), ()),
    ],
)
def test_marked_options(question: Question, added: Added, took: tuple[str, ...]) -> None:
    """A mark needs no words. Words beside it make a free answer."""
    assert taken(question, added) == took


@pytest.mark.parametrize(
    ("text", "letters"),
    [("b", "B"), ("B)", "B"), ("**B**", "B"), ("A, B", "AB"), ("a + c", "AC"), ("B, B", "B"),
     ("B) Server sessions", "B"), ("D", ""), ("A?", ""), ("~~A~~", ""), ("[ ] A", ""),
     ("JWT", ""), ("A, D", ""), ("a session", ""), ("A) Server sessions", "")],
)  # fmt: skip
def test_letters_alone_name_options(text: str, letters: str) -> None:
    assert taken(QA, Added(text)) == tuple(letters)
    assert taken(FREE, Added(text)) == ()


@pytest.mark.parametrize(
    ("text", "of_plan", "of_question"),
    [("ok:", True, False), ("yes \u2014", True, False), ("**yes,**", True, False),
     ("yes, <!-- x -->", True, False), ("yes, rename it,", False, False), ("no,", False, False),
     ("d", False, True), ("*E*", False, True), ("Y", False, False), ("n", False, False),
     ("C", False, False), ("5", False, False), ("D?", False, False)],
)  # fmt: skip
def test_what_is_asked_again(text: str, of_plan: bool, of_question: bool) -> None:
    """A yes to a plan that breaks off, and a letter that is no option."""
    assert (bool(missing(PLAN, text)), bool(missing(QA, text))) == (of_plan, of_question)
    assert not missing(FREE, text)


@pytest.mark.parametrize(
    "text",
    ["", " \n", "...", "?", "tbd.", "*todo*", "(Pending)", "<!-- B -->", "```\n```", "=>",
     "<!-- a -->\n<!-- b -->", "**", "- [ ]", "~~B~~", "> tbd", "\u3002"],
)  # fmt: skip
def test_no_answer_yet(text: str) -> None:
    assert nothing_yet(text) and missing(FREE, text)


@pytest.mark.parametrize(
    "text",
    ["5.", "todo: ask Eve", "tbd tbd", "👍", "好", "~~A~~ B", "x", "<!-- a --> B", "<!-- B",
     "~~~\ncode\n~~~", "+1", "\u0915\u0940", "~5 to ~~ 6", "€"],
)  # fmt: skip
def test_an_answer(text: str) -> None:
    assert not nothing_yet(text)


@given(st.text(), st.sampled_from([QA, FREE, PLAN]))
def test_any_text_counts_as_one_thing(text: str, question: Question) -> None:
    took = taken(question, Added(text))
    if question.kind == "approval":
        assert took in (APPROVE, CHANGE) and (took == APPROVE) <= is_yes(text)
        assert not (is_yes(text) and missing(question, text))
    else:
        assert set(took) <= set("ABC"[: len(question.options)])
    assert not (is_yes(text) and nothing_yet(text))
