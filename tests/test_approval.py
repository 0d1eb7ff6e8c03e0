"""Plan approval: asked by the loop, kept as a copy, gone when the plan is another one."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from samocode import approval, questions, sessions, task
from samocode.project import Project as Settings
from samocode.session import Session, open_session
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
def session(tmp_path: Path, repo: Path) -> Session:
    """A session in planning whose child signalled plan_approval for plan.md."""
    place = Settings(tmp_path / ".samocode", repo, tmp_path / "worktrees", tmp_path / "sessions")
    found = open_session(
        place, sessions.create(place, "work", {"task": "t"}, os.environ), os.environ
    )
    found.ensure_worktree()
    wait(found)
    return found


def wait(session: Session, plan: str = "plan.md") -> None:
    """The iteration that asks."""
    (session.folder / plan).write_text(PLAN)
    n = session.history.past.iteration + 1
    session.history.append(
        "iteration", n=n, phase="planning", outcome="waiting", next="planning", plan=plan
    )


def answer(session: Session, text: str) -> list[str]:
    """The loop asks, the human answers, the loop follows; what it says."""
    approval.ask(session)
    number = session.history.past.approval_id
    session.history.append("answer", id=number, text=text, by="file")
    return approval.settle(session)


@pytest.fixture
def approved(session: Session) -> Session:
    """The same, with a yes."""
    assert answer(session, "yes") == ["Plan plan.md approved; implementation may begin."]
    return session


def test_the_question_is_on_record_and_in_the_file(session: Session) -> None:
    session.change_questions(lambda _: questions.parse("## Q7: An older one\nAnswer: x\n"))
    approval.ask(session)
    (asked,) = session.history.past.open
    assert (asked.id, asked.kind, asked.plan) == (8, "approval", "plan.md")
    block = session.read_questions().find(8)
    assert block is not None and block.title == "Approve the plan plan.md?" and block.answer is None
    before = session.read_questions().text()
    approval.ask(session)
    assert session.read_questions().text() == before, "asked once"


def test_a_yes_keeps_a_copy(approved: Session) -> None:
    past = approved.history.past
    assert past.phase == "implementation" and past.approved is not None
    assert (approved.folder / "_logs" / past.approved.copy).read_text() == PLAN
    assert past.notes[-1] == "The human approved the plan plan.md."
    assert approval.settle(approved) == []


def test_anything_else_is_a_change_request(session: Session) -> None:
    assert answer(session, "Yes, but drop phase 2") == []
    past = session.history.past
    assert (past.approved, past.phase) == (None, "planning")
    assert "Yes, but drop phase 2" in past.notes[-1]


def test_a_plan_that_is_gone_cannot_be_approved(session: Session) -> None:
    approval.ask(session)
    (session.folder / "plan.md").unlink()
    assert "cannot be approved" in answer(session, "yes")[0]
    assert session.history.past.approved is None and session.history.past.phase == "planning"


def test_the_copy_finds_its_folder_again(session: Session) -> None:
    """A child that tidied the session folder takes no approval along."""
    shutil.rmtree(session.folder / "_logs")
    answer(session, "yes")
    assert session.history.past.approved is not None


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
    assert approval.settle(approved) == [] and approved.history.past.approved


@pytest.mark.parametrize("name", HARMFUL)
def test_what_makes_it_lapse(approved: Session, name: str) -> None:
    """The loop asks again and says what changed; code counts as it stands now."""
    (approved.cwd / "a.py").write_text("built so far")
    (approved.folder / "plan.md").write_text(HARMFUL[name](PLAN))
    (said,) = approval.settle(approved)
    assert "no longer what you approved" in said
    past = approved.history.past
    assert past.approved is None and past.plan_to_ask == "plan.md"
    assert approved.changed_code(approved.code()) == (), (
        "what was built under the approval is not held against it"
    )
    approval.ask(approved)
    question = approved.read_questions().questions[-1]
    assert question.answer is None and [q.id for q in approved.read_questions().questions] == [1, 2]
    assert "no longer what you approved" in question.text
    assert answer_again(approved) == ["Plan plan.md approved; implementation may begin."]


def answer_again(session: Session) -> list[str]:
    """A yes to the question that stands."""
    session.history.append("answer", id=session.history.past.approval_id, text="ok", by="file")
    return approval.settle(session)


def test_a_long_change_is_told_in_a_few_lines(approved: Session) -> None:
    (approved.folder / "plan.md").write_text("\n".join(f"line {n}" for n in range(500)))
    (said,) = approval.settle(approved)
    assert len(said.splitlines()) < 20 and "more lines" in said


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "2 MB"])
def test_a_plan_that_cannot_be_read_lapses(approved: Session, kind: str) -> None:
    spoil(approved.folder / "plan.md", kind)
    (said,) = approval.settle(approved)
    assert "plan.md is gone" in said and approved.history.past.approved is None


@pytest.mark.parametrize("kind", ["missing", "folder", "link"])
def test_a_spoilt_copy_harms_nothing(approved: Session, kind: str) -> None:
    past = approved.history.past
    spoil(approved.folder / "_logs" / (past.approved.copy if past.approved else ""), kind)
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
    assert approved.history.past.approved is None and approved.history.past.plan_to_ask is None


def test_a_new_round_needs_a_new_approval(approved: Session) -> None:
    approved.history.append(
        "iteration", n=9, phase="done", outcome="done", next="done", summary="s"
    )
    task.add(approved, "task", "and more")
    assert approved.history.past.approved is None and approval.settle(approved) == []


def test_an_answer_taken_back(approved: Session) -> None:
    """The human may think again between two runs."""
    approved.history.append("answer", id=1, text="no, wait", by="file")
    past = approved.history.past
    assert (past.approved, past.phase) == (None, "planning") and "no, wait" in past.notes[-1]
    assert answer_again(approved) == ["Plan plan.md approved; implementation may begin."]


def test_an_older_question_decides_nothing(session: Session) -> None:
    answer(session, "no")
    wait(session, "plan2.md")
    approval.ask(session)
    session.history.append("answer", id=1, text="yes", by="file")
    assert approval.settle(session) == [] and session.history.past.approved is None


@pytest.mark.parametrize("text", ["\n", " \n", "## Notes\n", "- [x] a\n", "- ["])
def test_the_essence_takes_linear_time(text: str) -> None:
    began = time.process_time()
    approval.essence(text * (30_000 // len(text)))
    assert time.process_time() - began < 2
