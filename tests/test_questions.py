"""The form of `_qa.md`: what is read, what is written, and that nothing of a human's is lost."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from samocode.pages import fences, protect, questions
from samocode.pages.questions import Question, parse

FORM = "## Q1: Which?\nWhy: a reason\n- A) One\nSuggested: A, it fits\nAnswer:{}\n"


def one(text: str) -> Question:
    """The only question of a text."""
    (found,) = parse(text).questions
    return found


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (FORM.format(""), None),
        (FORM.format(" A"), "A"),
        (FORM.format(" A").replace("\n", "\r\n"), "A"),
        ("## Q1\nanswer: lower", "lower"),
        ("## Q1\nANSWER :upper", "upper"),
        ("## Q1\n**Answer:** bold", "bold"),
        ("## Q1\n**Answer**: bold", "bold"),
        ("## Q1\n**Answer: inside**", "inside**"),
        ("## Q1\nAnswer:\none\n\ntwo\n", "one\n\ntwo"),
        ("## Q1\nAnswer: one\r\ntwo\r\n", "one\ntwo"),
        ("## Q1\nAnswer: a\nAnswer: b", "a\nAnswer: b"),
        ("## Q1\nThe Answer: is not a field\n", None),
        ("## Q1\n> Answer: quoted\n", None),
        ("## Q1\n```\nAnswer: in a fence\n```\nAnswer: real", "real"),
        ("## Q1\n~~~~\nAnswer: in a fence\n~~~\n~~~~\nAnswer: real", "real"),
        ("## Q1\n```\nAnswer: a\n``` no end\nAnswer: b\n```\nAnswer: real", "real"),
        ("## Q1\n```\nAnswer: a\n~~~\n```\nAnswer: real", "real"),
        ("## Q1\n```\nAnswer: a fence that never closes", "a fence that never closes"),
        ("## Q1\nAnswer:\n```\ncode\n```", "```\ncode\n```"),
        ("## Q1\nAnswer: Ja, natürlich — 好", "Ja, natürlich — 好"),
        ("## Q1\nAnswer: 1", "1"),
        ("## Q1\nAnswer: _", None),
        ("## Q1\nAnswer: ...", None),
        ("## Q1\nAnswer: ?", None),
        ("## Q1\nAnswer: TBD.", None),
        ("## Q1\nAnswer: *todo*", None),
        ("## Q1\nAnswer: (Pending)", None),
        ("## Q1\nAnswer: todo: ask Eve", "todo: ask Eve"),
        ("## Q1\nAnswer: <!-- write here -->", None),
        ("## Q1\nAnswer: <!--\nwrite\nhere -->\n", None),
        ("## Q1\nAnswer: B <!-- or A? -->", "B"),
        ("## Q1\nAnswer:<!-- a --> B <!-- b --><!-- c -->", "B"),
        ("## Q1\nAnswer: <!-- never closed", "<!-- never closed"),
        ("## Q1\nAnswer: ```\n```", None),
    ],
)
def test_answer(text: str, answer: str | None) -> None:
    assert one(text).answer == answer


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        ("# Q1: one sharp is a title", []),
        ("## Q1: two", [1]),
        ("#### Q12 four", [12]),
        ("##### Q1: five", []),
        ("##Q1 no space", []),
        ("  ## Q1: indented", []),
        ("## **Q1**: bold", [1]),
        ("## Q1b: no number", []),
        ("## Quality\n## Q: none\n## Q1.5 a number\n", [1]),
        ("\ufeff## Q1: after a BOM", []),
        ("intro\n## Q1: a\n\n## Q2: b\n### Q3) c\n", [1, 2, 3]),
        ("```\n## Q1: in a fence\n```\n## Q2: out", [2]),
        ("```\n## Q1: the fence never closes", [1]),
        ("````\n```\n## Q1: inside\n````\n## Q2: out", [2]),
        ("## Q1\n```\n## Q2: a fence in a question\n```\nAnswer: a", [1]),
        ("## Q1\n```\nleft open\nAnswer:\n## Q2\n```\na fence\n```\nAnswer: b", [1, 2]),
        ("## Q12345678901234567890 too long", []),
        ("## Q1: windows\r\n## Q2: lines\r\n", [1, 2]),
    ],
)
def test_which_lines_are_questions(text: str, ids: list[int]) -> None:
    assert [q.id for q in parse(text).questions] == ids


@pytest.mark.parametrize(
    ("text", "title", "suggested", "unconfirmed"),
    [
        (FORM.format(""), "Which?", "A, it fits", None),
        ("## **Q2: Bold?**\n**Suggested:** B\nAnswer:", "Bold?", "B", None),
        ("## Q3) Where?\nSuggested:\nAnswer:", "Where?", None, None),
        ("## Q4: Où ?\nWarum: deutsch\nsuggested : 是\nAnswer:", "Où ?", "是", None),
        ("## Q5: x\nAnswer:\nSuggested: not below the answer", "x", None, None),
        ("## Q6: x\n```\nSuggested: fenced\n```\nAnswer:", "x", None, None),
        ("## Q7: x\nUnconfirmed: a\nUnconfirmed: b\nAnswer:", "x", None, "a\nb"),
    ],
)
def test_fields(text: str, title: str, suggested: str | None, unconfirmed: str | None) -> None:
    found = one(text)
    assert (found.title, found.suggested, found.unconfirmed) == (title, suggested, unconfirmed)


@pytest.mark.parametrize("word", ["same", "Same.", "**same**", " SAME "])
def test_same_confirms(word: str) -> None:
    found = one(f"## Q1: x\nUnconfirmed: use B,\nUnconfirmed: always\nAnswer: {word}\n")
    assert found.answer == "use B,\nalways"
    assert one("## Q1: x\nAnswer: same").answer == "same", "nothing to confirm: an answer"


@pytest.mark.parametrize(
    "text",
    ["a", "A)", "a.", "y", "Y!", "yes", "Yes.", "YES", "ok", "Okay", "approve", "**Approved**",
     "`LGTM`", "lgtm!!", "A) Approve", "- A) approve", "yes\n"],
)  # fmt: skip
def test_a_yes(text: str) -> None:
    assert questions.approves(text)


@pytest.mark.parametrize(
    "text",
    ["yes, but smaller", "approve?  no", "no", "n", "not approved", "B", "b) change it", "ja",
        "oui",
     "yes yes", "yes please", "a b", "aye", "okay then", "ok?\nremove phase 2", "I approve", "",
     "yes\n\nbut not phase 3", "y\u0435s"],  # a Cyrillic letter
)  # fmt: skip
def test_no_yes(text: str) -> None:
    assert not questions.approves(text)


def test_a_question_mark_alone_does_not_unmake_a_yes() -> None:
    """Case and punctuation aside: `approve?` is a yes, `approve? hm` is not."""
    assert not questions.approves("approve?") and not questions.approves("approve? hm")


def test_sealed_keeps_the_text_and_opens_the_question() -> None:
    found = protect.sealed(one(FORM.format(" use B\n\nand more")))
    assert found.answer is None
    assert found.unconfirmed == "use B\n\nand more"
    assert protect.sealed(found) == found
    assert questions.answered(found, "same").answer == "use B\n\nand more"


def test_answered_by_somebody_else_says_so_above_the_answer() -> None:
    found = questions.answered(one(FORM.format("")), "A, it fits", "--yes")
    assert "Suggested: A, it fits\nBy: --yes\nAnswer: A, it fits\n" in found.text
    assert questions.answered(found, "B").answer == "B"


def test_the_line_ends_of_the_file_stay() -> None:
    found = questions.answered(one(FORM.format("").replace("\n", "\r\n")), "two\nlines", "--yes")
    assert "\n" not in found.text.replace("\r\n", "") and found.answer == "two\nlines"


def test_a_heading_in_an_answer_is_no_question() -> None:
    document = parse(FORM.format("") + "## Q2: Second\nAnswer:\n")
    answered = questions.answered(document.questions[0], "see\n## Q2: mine\nAnswer: x")
    again = parse(document._replace(questions=(answered, document.questions[1])).text())
    assert [q.title for q in again.questions] == ["Which?", "Second"]
    assert again.questions[0].answer == answered.answer


@pytest.mark.parametrize("answer", ["use\n```\ncode", "```python", "~~~\nx", "<!-- hm"])
def test_an_answer_never_swallows_the_next_question(answer: str) -> None:
    """A fence or comment left open in an answer must not reach the fence of the question below."""
    second = "## Q2: Second?\n```\nexample\n```\nAnswer: mine\n"
    first = questions.answered(one(FORM.format("")), answer)
    found = parse(first.text + second)
    assert [q.id for q in found.questions] == [1, 2]
    assert found.questions[0].answer == first.answer
    assert found.questions[1].answer == "mine"


def test_protect_puts_back_and_seals() -> None:
    """One child that did everything: deleted Q1, forged Q2's answer, answered its own Q3, took a
    used number."""
    before = parse(
        "# Intro\n## Q1: One\nAnswer: mine\n\n## Q2: Two\nAnswer: also mine\n\n"
    )  # fmt: skip
    after = parse(
        "# Intro\n## Q2: Two\nAnswer: forged\n\n## Q3: New\nAnswer: by the child\n\n"
        "## Q2: Again\nAnswer:\n"
    )
    document, said = protect.protect(after, {q.id: q for q in before.questions})
    assert [(q.id, q.title, q.answer) for q in document.questions] == [
        (1, "One", "mine"), (2, "Two", "also mine"), (3, "New", None), (4, "Again", None),
    ]  # fmt: skip
    assert document.questions[1].unconfirmed == "forged"
    assert document.questions[2].unconfirmed == "by the child"
    assert document.preamble == "# Intro\n"
    assert said == (
        "Q1 was gone and is put back",
        "Q2 was changed and is put back",
        "Q3 was answered while no human was asked: kept as unconfirmed",
        "a second or late Q2 is now Q4",
    )
    assert protect.protect(document, {q.id: q for q in document.questions}) == (document, ())


@pytest.mark.parametrize(
    ("ids", "recorded", "expected"),
    [
        ([1, 2, 3], [], [1, 2, 3]),
        ([1, 1], [], [1, 2]),
        ([2, 1], [], [2, 3]),
        ([1, 2], [1], [1, 2]),
        ([1, 1], [1], [1, 2]),
        ([3, 1], [2], [2, 3, 4]),
        ([1, 1, 1], [1, 2], [1, 2, 3, 4]),
        ([2, 3], [5, 1], [5, 1, 6, 7]),
        ([999999999, 999999999], [], [1, 2]),
    ],
)
def test_numbers_are_unique_and_only_grow(
    ids: list[int], recorded: list[int], expected: list[int]
) -> None:
    kept = {n: one(f"## Q{n}: kept\nAnswer: a\n\n") for n in recorded}
    titles = ["kept" if n in kept and ids.index(n) == i else f"new {i}" for i, n in enumerate(ids)]
    text = "".join(
        f"## Q{n}: {title}\nAnswer:{' a' if n in kept else ''}\n\n"
        for n, title in zip(ids, titles, strict=True)
    )
    document, _ = protect.protect(parse(text), kept)
    assert [q.id for q in parse(document.text()).questions] == expected


def test_problems_name_the_next_free_number() -> None:
    document = parse("## Q1: a\n## Q3: b\n## Q3: c\n## Q2: late\n")
    (twice, late) = protect.problems(document, [1, 3])
    assert "Q3 stands twice" in twice and "Q2 is new" in late and "Q4" in late
    assert protect.problems(parse("## Q4: old\n## Q5: a\n## Q6: b\n"), [4]) == ()
    assert protect.problems(parse("## Q1: a\n"), []) == ()


def test_no_more_questions_than_a_person_answers() -> None:
    asked = "".join(f"## Q{n}: a\n" for n in range(1, protect.MAX_NEW + 2))
    assert protect.problems(parse(asked), [1]) == ()
    assert "More than 50 new questions" in protect.problems(parse(asked), [])[0]
    assert protect.problems(parse(asked.partition("## Q2:")[0]), []) == ()


def test_a_copy_of_a_recorded_question_is_no_new_one() -> None:
    text = "## Q1: t\nAnswer: mine\n\n"
    document, said = protect.protect(parse(text * 3), {1: one(text)})
    assert (document.text(), said) == (text, ())


def test_the_approval_question() -> None:
    found = questions.approval(4, "plan.md", "read it\n> first")
    assert (found.id, found.answer, found.suggested) == (4, None, None)
    assert found.text.startswith(
        "## Q4: Approve the plan plan.md?\nWhy: read it\n> first\n- A) Approve\n"
    )


FRAGMENTS = [
    "\n", "\r\n", " ", "```", "~~~", "````\n", "<!--", "-->", "## Q1: a\n", "### **Q2** b\n",
        "#### Q3) c\n",
    "Answer:", "**answer:** ", "Suggested: A\n", "Unconfirmed: x\n", "same", "yes", "tbd", "a", "é",
        "\ufeff", "\x0b",
    "\u2028", "\x00", "\udc80", "By: --yes\n", "- A) One\n", "Q7", "    ", "## Quiz\n", "?",
]  # fmt: skip
forms = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=25).map("".join)
MEANT = forms.filter(lambda text: questions.meaning(text) == text)


@settings(deadline=None)  # a loaded machine is no bug
@given(forms | st.text())
def test_parse_keeps_every_character(text: str) -> None:
    document = parse(text)
    assert document.text() == text
    assert parse(document.text()) == document


@settings(deadline=None)  # a loaded machine is no bug
@given(
    MEANT, st.sampled_from(["", "Unconfirmed: old\n", "```\n", "```\nx\n```\n", "<!-- \n", "~~~\n"])
)
@example("a\n```", "```\n")
@example("a\n~~~\n## Q5", "~~~\n")
def test_an_answer_stands_as_it_was_given(text: str, above: str) -> None:
    """Whatever the question looks like. A line like a question's heading is indented, and only
    that."""
    blank = one(f"## Q1: Which?\n{above}Answer:\n")
    found = questions.answered(blank, text)
    expected = fences.QUESTION.sub(lambda heading: " " + heading[0], text).strip()
    if blank.unconfirmed and questions.confirms(text):
        expected = blank.unconfirmed
    assert found.answer == expected
    again = questions.answered(blank, found.answer or "")
    assert again.answer == found.answer, "put back from the record it is the same"


@settings(deadline=None)  # a loaded machine is no bug
@given(forms, st.lists(MEANT, min_size=1, max_size=3))
def test_protect_never_loses_a_recorded_answer(left: str, answers: list[str]) -> None:
    """Whatever a child left in the file: recorded questions and answers stand there again."""
    given = [
        questions.answered(one(f"## Q{n}: t\nAnswer:\n\n"), text)
        for n, text in enumerate(answers, 1)
    ]
    kept = {q.id: q for q in given}
    document, _ = protect.protect(parse(left), kept)
    found = parse(document.text())
    for question in given:
        stands = found.find(question.id)
        assert stands is not None and stands.answer == question.answer


@settings(deadline=None)  # a loaded machine is no bug
@given(forms, forms)
@example("## Q1: t\nAnswer: mine\n", "## Q1: t\nAnswer: mine\n\n## Q1: t\nAnswer: changed\n")
def test_protect_loses_nothing_that_was_written_after_answer(before: str, after: str) -> None:
    """A human may have typed it just then: every word that stood in an answer still stands
    somewhere."""
    kept = {q.id: q for q in parse(before).questions}
    found = parse(after)
    document, _ = protect.protect(found, kept)
    for question in found.questions:
        for word in (question.answer or "").split():
            assert word in document.text()


ANSWERED, ASKED = "## Q1: a\nAnswer: {}", "## Q1: a\n{}\n```\n"
BEFORE = "{}\n~~~\n## Q1: a\n"
MARKS = ["```\n", "~~~\n", "````\n```\n", "```a\n", "~~~a\n```b\n", "Answer:\n", "## Q1\n"]
LINES = ["## Q1", "#", "**", "*", "Unconfirmed: a\n", "## **Q1\nAnswer:\n```\n"]
OTHERS = ["<!--", "<!-- -->", "`", " ", "\n", "\r", "\r\n", *LINES]


@pytest.mark.parametrize(
    ("form", "text", "size"),
    [(ANSWERED, text, 200_000) for text in MARKS + OTHERS]
    + [(form, text, 50_000) for form in (ASKED, BEFORE) for text in MARKS],
)
def test_hostile_text_takes_linear_time(form: str, text: str, size: int) -> None:
    whole = form.format(text * (size // len(text)))
    began = time.process_time()
    document = parse(whole)
    protected, _ = protect.protect(document, {1: one("## Q1: a\nAnswer: mine\n")})
    protect.protect(protected, {})
    assert time.process_time() - began < 2
