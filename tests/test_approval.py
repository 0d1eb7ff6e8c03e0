"""Plan approval: the loop asks, stores a copy, and asks again when the plan changes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from samocode import sessions
from samocode.gate import approval
from samocode.gate.answers import Answers
from samocode.pages.answers import Added
from samocode.pages.questions import page
from samocode.record.state import Spent
from samocode.session import Session, open_session
from tests.conftest import around
from tests.place import iterated, project_of

PLAN = """# Plan

## Phase 1: build
- [ ] write it
  - [ ] and its test
Verify: `tests/run`

## Notes
none yet

## Phase 2: polish
- [ ] tidy
+ [ ] sweep
1. [ ] mop
2) [ ] dust
-  [ ] air
"""
APPROVED = "Plan plan.md approved; implementation may begin."
LAPSED = "The approval lapsed: the plan plan.md is no longer what you approved:\n"


@pytest.fixture
def session(repo: Path) -> Session:
    """A session in planning whose child signalled plan_approval for plan.md."""
    folder, _ = sessions.create(project_of(repo), "work", {"task": "t"}, around(repo))
    found = open_session(repo, folder, around(repo))
    found.ensure_worktree()
    (folder / "plan.md").write_text(PLAN)
    iterated(found, "waiting", "planning", plan="plan.md")
    return found


@pytest.fixture
def approved(session: Session) -> Session:
    assert answer(session, "yes") == [APPROVED]
    return session


def record(session: Session, number: int, text: str) -> None:
    assert Answers(session, print).take(session.state.asked[number], Added(text), "file")


def answer(session: Session, text: str) -> list[str]:
    """The loop asks and the human answers. Return what the loop then says."""
    approval.ask(session)
    record(session, session.state.approval_id or 0, text)
    return approval.settle(session)


def test_the_question_is_recorded_and_printed_once(session: Session) -> None:
    """With a number of its own. The text of the plan at that moment is stored."""
    iterated(session, "waiting", asked=[{"id": 7, "kind": "qa", "title": "Older", "why": "w"}])
    iterated(session, "waiting", plan="plan.md")
    record(session, 7, "x")
    approval.ask(session)
    (asked,) = session.state.open
    assert (asked.id, asked.kind, asked.plan) == (8, "approval", "plan.md")
    assert (session.folder / "_logs" / asked.copy).read_text() == PLAN
    shown = page(session.state)
    assert shown and shown.text.endswith(
        "## Q8: Approve the plan plan.md?\n\nWhy: nothing is built before you say yes; read "
        f"{session.folder}/plan.md\n\n- A) Approve\n- B) Change: say what\n\nAnswer:\n"
    )
    lines = session.state.lines
    approval.ask(session)
    assert session.state.lines == lines


def test_a_yes_is_for_the_text_of_that_moment(session: Session) -> None:
    """A copy is stored, even if a child removed _logs or the text is not UTF-8. If it changed since
    the question, the message shows the change."""
    approval.ask(session)
    now = PLAN.replace("write it", "write \udcff")
    (session.folder / "plan.md").write_bytes(now.encode("utf-8", "surrogateescape"))
    said = answer(session, "yes")
    assert said == [
        "The plan plan.md changed since you were asked about it:\n"
        "-- [ ] write it\n+- [ ] write \udcff", APPROVED,
    ]  # fmt: skip
    shutil.rmtree(session.folder / "_logs")
    record(session, 1, "no, wait")
    assert session.state.approved is None and session.state.phase == "planning"
    (session.folder / "plan.md").write_text(PLAN)
    assert answer(session, "ok") == [APPROVED]
    assert session.state.approved and session.state.approved.copy == "001-approved-plan.md"
    assert (session.folder / "_logs/001-approved-plan.md").read_text() == PLAN
    assert session.state.phase == "implementation" and approval.settle(session) == []
    assert session.state.notes[-1] == "The human approved the plan plan.md."


def test_a_plan_that_is_gone_cannot_be_approved(session: Session) -> None:
    """The yes is used up, and the next child gets a note."""
    approval.ask(session)
    (session.folder / "plan.md").unlink()
    assert answer(session, "yes") == ["The plan plan.md is gone: it cannot be approved."]
    assert session.state.notes[-1] == "The approval of the plan lapsed: the plan plan.md is gone"
    assert (session.state.approved, session.state.phase) == (None, "planning")
    assert approval.settle(session) == []


HARMLESS: dict[str, Callable[[str], str]] = {
    "ticks": lambda text: text.replace("[ ]", "[x]", 3).replace("[ ]", "[X]"),
    "notes": lambda text: text.replace("none yet", "much learned\n### in detail\n- [ ] even a box"),
    "line ends": lambda text: text.replace("\n", "\r\n"),
    "blanks at line ends": lambda text: text.replace("\n", "  \n"),
    "blank lines around": lambda text: f"\n{text}\n\n",
}
HARMFUL: dict[str, Callable[[str], str]] = {
    "a word": lambda text: text.replace("write it", "write something else"),
    "a step less": lambda text: text.replace("- [ ] tidy\n", ""),
    "no step any more": lambda text: text.replace("- [ ] tidy", " tidy"),
    "another check": lambda text: text.replace("tests/run", "true"),
    "the part after the notes": lambda text: text.replace("Phase 2: polish", "Phase 2: rewrite"),
    "notes gone, steps in their place": lambda text: text.replace("## Notes", "## Phase 3"),
    "nothing left": lambda text: "",
}  # fmt: skip


@pytest.mark.parametrize("name", [*HARMLESS, *HARMFUL])
def test_what_of_a_plan_may_change(name: str) -> None:
    changed = (HARMLESS | HARMFUL)[name](PLAN)
    assert (approval.essence(changed) == approval.essence(PLAN)) == (name in HARMLESS)


@pytest.mark.parametrize("line", ["a step more", "++ like a diff header", "@@ too"])
def test_a_changed_plan_is_asked_about_again(approved: Session, line: str) -> None:
    """The message and the new question show what changed. The forecast is no part of that."""
    approved.state.spent["planning"] = Spent(1, 1.0)
    plan = approved.folder / "plan.md"
    plan.write_text("\ufeff" + HARMLESS["notes"](HARMLESS["ticks"](PLAN)))
    assert approval.settle(approved) == [] and approved.state.approved
    plan.write_text(f"{line}\n{PLAN}")
    assert approval.settle(approved) == [f"{LAPSED}+{line}"]
    assert approved.state.approved is None and approved.state.plan_to_ask == "plan.md"
    approval.ask(approved)
    (asked,) = approved.state.open
    assert f"\n+{line}\nForecast: " in asked.why
    assert answer(approved, "ok") == [APPROVED]


def test_a_plan_that_cannot_be_read_lapses(approved: Session) -> None:
    """The message names the approved copy. If only the copy is missing, nothing changes."""
    shutil.rmtree(approved.folder / "_logs")
    assert approval.settle(approved) == []
    (approved.folder / "plan.md").unlink()
    (approved.folder / "plan.md").mkdir()
    (said,) = approval.settle(approved)
    assert "plan.md is gone; the approved text is _logs/001-approved-plan.md" in said
    assert approved.state.approved is None
    assert approved.state.notes[-1] == said.replace("approval", "approval of the plan")


@pytest.mark.parametrize("phase", ["planning", "requirements"])
def test_going_back_ends_the_approval(approved: Session, phase: str) -> None:
    iterated(approved, "continue", phase)
    why = f"the session went back to phase {phase}"
    assert approval.settle(approved) == [f"The approval lapsed: {why}."]
    assert approved.state.approved is None and approved.state.plan_to_ask is None


def test_an_older_question_decides_nothing(session: Session) -> None:
    """A yes to it approves nothing. It is a note to the next child."""
    answer(session, "no")
    (session.folder / "plan2.md").write_text(PLAN)
    iterated(session, "waiting", plan="plan2.md")
    approval.ask(session)
    record(session, 1, "yes")
    assert approval.settle(session) == [] and session.state.approved is None
    assert session.state.notes == ["The human now says to Q1, an old question on plan.md: yes"]
