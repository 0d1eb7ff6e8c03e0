"""Plan approval: asked by the loop, kept as a copy, gone when the plan is another one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samocode import sessions, task
from samocode.gate import approval
from samocode.gate.answers import Answers
from samocode.pages.answers import Added
from samocode.pages.questions import Block, page
from samocode.record.state import APPROVE, CHANGE, Answer
from samocode.session import Session, open_session
from tests.conftest import around
from tests.place import project_of
from tests.test_files import spoil

PLAN = """# Plan

## Phase 1: build
- [ ] write it
  - [ ] and its test
Verify: `tests/run`

## Notes
none yet

## Phase 2: polish
- [ ] tidy
"""


@pytest.fixture
def session(repo: Path) -> Session:
    """A session in planning whose child signalled plan_approval for plan.md."""
    folder = sessions.create(project_of(repo), "work", {"task": "t"}, around(repo))
    found = open_session(repo, folder, around(repo))
    found.ensure_worktree()
    wait(found)
    return found


def wait(session: Session, plan: str = "plan.md") -> None:
    """The iteration that asks."""
    (session.folder / plan).write_text(PLAN)
    n = session.state.iteration + 1
    session.history.append(
        "iteration", n=n, phase="planning", outcome="waiting", next="planning", plan=plan,
        heard=True,
    )  # fmt: skip


def answer(session: Session, text: str) -> list[str]:
    """The loop asks, the human answers, the loop follows; what it says."""
    approval.ask(session)
    record(session, session.state.approval_id or 0, text)
    return approval.settle(session)


def record(session: Session, number: int, text: str) -> None:
    """The gate takes an answer: what it was taken as is decided there, once."""
    answers = Answers(session, print)
    assert answers.take(session.state.asked[number], Added(text), "file")


def blocks(session: Session) -> tuple[Block, ...]:
    """The questions as `_qa.md` prints them now."""
    shown = page(session.state)
    return shown.blocks if shown else ()


@pytest.fixture
def approved(session: Session) -> Session:
    """The same, with a yes."""
    assert answer(session, "yes") == ["Plan plan.md approved; implementation may begin."]
    return session


def test_the_question_is_on_record_and_in_the_file(session: Session) -> None:
    """With a number of its own, and a copy of the plan as it was asked about."""
    older = {"id": 7, "kind": "qa", "title": "An older one", "why": "w"}
    session.history.append(
        "iteration", n=2, phase="planning", outcome="waiting", next="planning", asked=[older]
    )
    wait(session)
    record(session, 7, "x")
    approval.ask(session)
    (asked,) = session.state.open
    assert (asked.id, asked.kind, asked.plan) == (8, "approval", "plan.md")
    assert (session.folder / "_logs" / asked.copy).read_text() == PLAN
    older_block, block = blocks(session)
    assert older_block.answer == "x" and block.answer == ""
    assert block.heading == "## Q8: Approve the plan plan.md?"
    assert "\n- A) Approve\n" in block.above and str(session.folder / "plan.md") in block.above
    lines = session.state.lines
    approval.ask(session)
    assert session.state.lines == lines, "asked once"


def test_a_yes_keeps_a_copy(approved: Session) -> None:
    state = approved.state
    assert state.phase == "implementation" and state.approved is not None
    assert (approved.folder / "_logs" / state.approved.copy).read_text() == PLAN
    assert state.notes[-1] == "The human approved the plan plan.md."
    assert approval.settle(approved) == []


def test_anything_else_is_a_change_request(session: Session) -> None:
    assert answer(session, "Yes, but drop phase 2") == []
    state = session.state
    assert (state.approved, state.phase) == (None, "planning")
    assert "Yes, but drop phase 2" in state.notes[-1]


def test_a_plan_that_is_gone_cannot_be_approved(session: Session) -> None:
    approval.ask(session)
    (session.folder / "plan.md").unlink()
    assert "cannot be approved" in answer(session, "yes")[0]
    assert session.state.approved is None and session.state.phase == "planning"


def test_the_copy_finds_its_folder_again(session: Session) -> None:
    """A child that tidied the session folder takes no approval along."""
    shutil.rmtree(session.folder / "_logs")
    answer(session, "yes")
    assert session.state.approved is not None


HARMLESS: dict[str, Callable[[str], str]] = {
    "ticks": lambda text: text.replace("[ ]", "[x]"),
    "capital ticks": lambda text: text.replace("- [ ] write", "- [X] write"),
    "notes": lambda text: text.replace("none yet", "much learned\n### in detail\n- [ ] even a box"),
    "line ends": lambda text: text.replace("\n", "\r\n"),
    "blanks at line ends": lambda text: text.replace("\n", "  \n"),
    "blank lines around": lambda text: f"\n{text}\n\n",
}
HARMFUL: dict[str, Callable[[str], str]] = {
    "a word": lambda text: text.replace("write it", "write something else"),
    "a step more": lambda text: text.replace("## Notes", "- [ ] deploy\n\n## Notes"),
    "a step less": lambda text: text.replace("- [ ] tidy\n", ""),
    "another check": lambda text: text.replace("tests/run", "true"),
    "the part after the notes": lambda text: text.replace("Phase 2: polish", "Phase 2: rewrite"),
    "notes gone, steps in their place": lambda text: text.replace("## Notes", "## Phase 3"),
    "nothing left": lambda text: "",
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_what_may_change(approved: Session, name: str) -> None:
    (approved.folder / "plan.md").write_bytes(HARMLESS[name](PLAN).encode())
    assert approval.settle(approved) == [] and approved.state.approved


@pytest.mark.parametrize("name", HARMFUL)
def test_what_makes_it_lapse(approved: Session, name: str) -> None:
    """The loop asks again and says what changed."""
    (approved.folder / "plan.md").write_text(HARMFUL[name](PLAN))
    (said,) = approval.settle(approved)
    assert "no longer what you approved" in said
    state = approved.state
    assert state.approved is None and state.plan_to_ask == "plan.md"
    approval.ask(approved)
    first, question = blocks(approved)
    assert (first.answer, question.answer) == ("yes", "")
    assert (first.question.id, question.question.id) == (1, 2)
    assert "no longer what you approved" in question.above
    assert answer_again(approved) == ["Plan plan.md approved; implementation may begin."]


def answer_again(session: Session) -> list[str]:
    """A yes to the question that stands."""
    record(session, session.state.approval_id or 0, "ok")
    return approval.settle(session)


def test_a_long_change_is_told_in_a_few_lines(approved: Session) -> None:
    (approved.folder / "plan.md").write_text("\n".join(f"line {n}" for n in range(500)))
    (said,) = approval.settle(approved)
    assert len(said.splitlines()) < 20 and "more lines" in said


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "2 MB"])
def test_a_plan_that_cannot_be_read_lapses(approved: Session, kind: str) -> None:
    spoil(approved.folder / "plan.md", kind)
    (said,) = approval.settle(approved)
    assert "plan.md is gone" in said and approved.state.approved is None


@pytest.mark.parametrize("kind", ["missing", "folder", "link"])
def test_a_spoilt_copy_harms_nothing(approved: Session, kind: str) -> None:
    state = approved.state
    spoil(approved.folder / "_logs" / (state.approved.copy if state.approved else ""), kind)
    assert approval.settle(approved) == []
    (approved.folder / "plan.md").write_text("another plan")
    (said,) = approval.settle(approved)
    assert "no longer what you approved" in said and "root:" not in said


@pytest.mark.parametrize("phase", ["planning", "requirements", "investigation"])
def test_going_back_makes_it_lapse(approved: Session, phase: str) -> None:
    approved.history.append(
        "iteration", n=9, phase="implementation", outcome="continue", next=phase
    )
    (said,) = approval.settle(approved)
    assert f"went back to phase {phase}" in said
    assert approved.state.approved is None and approved.state.plan_to_ask is None


def test_a_new_round_needs_a_new_approval(approved: Session) -> None:
    approved.history.append(
        "iteration", n=9, phase="done", outcome="done", next="done", summary="s"
    )
    task.add(approved.history, "task", "and more")
    assert approved.state.approved is None and approval.settle(approved) == []


def test_an_answer_taken_back(approved: Session) -> None:
    """The human may think again between two runs."""
    record(approved, 1, "no, wait")
    state = approved.state
    assert (state.approved, state.phase) == (None, "planning") and "no, wait" in state.notes[-1]
    assert answer_again(approved) == ["Plan plan.md approved; implementation may begin."]


def test_an_older_question_decides_nothing(session: Session) -> None:
    answer(session, "no")
    wait(session, "plan2.md")
    approval.ask(session)
    record(session, 1, "yes")
    assert approval.settle(session) == [] and session.state.approved is None
    assert session.state.notes == ["The human now says to Q1, an old question on plan.md: yes"]


def recorded(session: Session) -> dict[str, Any]:
    """The last line of the record, less its time."""
    line = json.loads(session.history.path.read_text().splitlines()[-1])
    return {key: value for key, value in line.items() if key != "t"}


@pytest.mark.parametrize("text", ["yes", "Approve.", "OK", "a", "**lgtm!**"])
def test_a_yes_is_recorded_as_one(session: Session, text: str) -> None:
    approval.ask(session)
    record(session, 1, text)
    assert recorded(session) == {
        "event": "answer", "id": 1, "text": text, "by": "file", "took": ["approve"],
        "decision": True,
    }  # fmt: skip
    assert session.state.answers == {1: Answer(text, APPROVE, "file")}
    assert session.state.approves_now


@pytest.mark.parametrize("text", ["no", "Yes, but drop phase 2", "yes?\nand test it", "yes?"])
def test_a_change_request_is_recorded_as_one(session: Session, text: str) -> None:
    approval.ask(session)
    record(session, 1, text)
    assert recorded(session) == {
        "event": "answer", "id": 1, "text": text, "by": "file", "took": ["change"],
        "decision": True,
        "next": "planning",
        "notes": [f"The human did not approve the plan plan.md and wants this change: {text}"],
    }  # fmt: skip
    assert session.state.answers == {1: Answer(text, CHANGE, "file")}
    assert not session.state.approves_now


@pytest.mark.parametrize("kind", ["qa", "action"])
def test_an_answer_is_recorded_with_what_the_child_is_told(session: Session, kind: str) -> None:
    asked = {"id": 1, "kind": kind, "title": "Which?"}
    session.history.append(
        "iteration", n=2, phase="planning", outcome="waiting", next="planning", asked=[asked]
    )
    line = {"event": "answer", "id": 1, "by": "file", "decision": True}
    record(session, 1, "yes")
    told = ["Q1 is answered in _qa.md."]
    assert recorded(session) == line | {"text": "yes", "notes": told}
    record(session, 1, "no")
    assert recorded(session) == line | {
        "text": "no",
        "notes": ["The human changed the answer to Q1."],
    }
    assert session.state.phase == "planning" and session.state.answers[1].took == ()


def test_what_is_recorded_of_an_approval_and_its_end(approved: Session) -> None:
    line = recorded(approved)
    assert (line["event"], line["id"], line["next"]) == ("approved", 1, "implementation")
    assert line["notes"] == ["The human approved the plan plan.md."]
    (approved.folder / "plan.md").unlink()
    approval.settle(approved)
    line = recorded(approved)
    assert (line["event"], line["plan"]) == ("lapsed", "plan.md")
    assert line["notes"] == [f"The approval of the plan lapsed: {line['why']}"]


def test_the_answer_that_names_options(session: Session) -> None:
    """Their letters are recorded beside the words; what says more is free text."""
    asked = {"id": 1, "kind": "qa", "title": "Which?", "options": ["JWT", "Sessions"]}
    session.history.append(
        "iteration", n=2, phase="planning", outcome="waiting", next="planning", asked=[asked]
    )
    for text, took in (("b", ["B"]), ("A, B", ["A", "B"]), ("B, but later", None)):
        record(session, 1, text)
        line = recorded(session)
        assert (line["text"], line.get("took")) == (text, took)


def test_a_plan_that_changed_while_its_question_was_open(session: Session) -> None:
    """The yes is for the text of that moment; first the loop says how that text differs."""
    approval.ask(session)
    (session.folder / "plan.md").write_text(PLAN.replace("write it", "write something else"))
    said = "\n".join(answer(session, "yes"))
    state = session.state
    assert state.approved is not None
    assert "something else" in (session.folder / "_logs" / state.approved.copy).read_text()
    assert "write something else" in said and said.endswith("implementation may begin.")


@pytest.mark.parametrize("text", ["\n", " \n", "## Notes\n", "- [x] a\n", "- ["])
def test_the_essence_takes_linear_time(text: str) -> None:
    began = time.process_time()
    approval.essence(text * (30_000 // len(text)))
    assert time.process_time() - began < 2
