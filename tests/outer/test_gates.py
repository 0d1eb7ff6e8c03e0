"""The two gates: only the human opens them, and nothing is built before the approval."""

from __future__ import annotations

from tests.outer import speech
from tests.outer.stage import DONE, EXIT, TO_DONE, TO_PLANNING, WORK, Stage

BUILD = "commit('a.py', 'built\\n'); signal('blocked', reason='built')"


def built(stage: Stage) -> bool:
    """Whether a child changed code."""
    return (stage.worktree / "a.py").read_text() == "built\n"


def at_gate(stage: Stage, *steps: str, default: str = DONE) -> None:
    """Run the session until it stops with 4 at its first question."""
    stage.script(*steps, default=default)
    ended = stage.begin(*EXIT)
    assert ended.code == 4, ended.out


def test_nothing_is_spawned_until_every_answer_is_there(stage: Stage) -> None:
    """With --on-wait exit each start ends with 4 while an answer is missing or a placeholder."""
    stage.script("ask('Which colour?', 'Where?')", DONE)
    ended = stage.begin(*EXIT)
    assert ended.code == 4 and "Which colour?" in ended.out
    for number, text in ((1, "blue"), (2, "tbd")):
        speech.answer(stage.session, number, text)
        assert stage.run(*EXIT).code == 4 and stage.children == 1
    speech.answer(stage.session, 2, "here")
    assert stage.run(*EXIT).code == 0
    assert speech.answers(stage.session) == [(1, "blue", "file"), (2, "here", "file")]


def test_an_answer_struck_out_shuts_the_gate(quick: Stage) -> None:
    """If an answer is removed between two runs, the question is open again, and --yes does not
    answer it. No child runs until there is a new answer, which the next child reads."""
    at_gate(quick, "ask('Which?')", WORK)
    speech.answer(quick.session, 1, "B")
    assert quick.run("--max-iterations", "1").code == 5
    speech.answer(quick.session, 1, "")
    assert quick.run("--yes", *EXIT).code == 4 and quick.children == 2
    speech.answer(quick.session, 1, "the second")
    assert quick.run(*EXIT).code == 0
    assert [text for _, text, _ in speech.answers(quick.session)] == ["B", "the second"]
    assert "the second" in quick.told(3)


def test_code_changed_before_approval_blocks(stage: Stage) -> None:
    """The exit code is 3, the message names the file, and nothing is reverted. The same command
    accepts the commit. (tests/test_hostile.py has a change without a commit.)"""
    stage.script("commit('a.py', 'early\\n'); work(); signal()", DONE)
    ended = stage.begin()
    assert ended.code == 3 and "a.py" in ended.out
    assert (stage.worktree / "a.py").read_text() == "early\n"
    assert stage.run().code == 0


CHANGE = (
    "p = SESSION / 'plan.md'; p.write_text(p.read_text().replace({!r}, {!r})); work(); signal()"
)
TICK = CHANGE.format("- [ ]", "- [x]")


def test_a_plan_changed_after_approval_is_asked_again(quick: Stage) -> None:
    """No child runs until the new plan has its own yes. A tick is not a change. "yes," is
    incomplete and does not approve."""
    at_gate(quick, TO_PLANNING, "plan()", TICK, CHANGE.format("do it", "do more"), BUILD)
    speech.answer(quick.session, 1, "yes,")
    assert "Q1: `yes,` is not taken" in quick.run(*EXIT).out and quick.answers == []
    speech.approve(quick.session)
    assert quick.run(*EXIT).code == 4 and quick.children == 4
    assert list(speech.open_questions(quick.session).values()) == ["approval"]
    speech.approve(quick.session)
    assert quick.run(*EXIT).code == 3 and built(quick)


def test_yes_answers_a_question_once(quick: Stage) -> None:
    """If a child asks the same question again, --yes leaves it to the human."""
    quick.script(default="ask('Which?')")
    assert quick.begin("--yes", *EXIT).code == 4 and quick.children == 2


def test_yes_does_not_answer_a_human_action(quick: Stage) -> None:
    """--yes does not answer a human_action. Only the human's answer counts."""
    action = "work(); ask('Plug it in', kind='human_action', suggested='')"
    quick.script(TO_PLANNING, "plan()", action, "work(); " + TO_DONE, DONE)
    assert quick.begin("--yes", *EXIT).code == 4
    (number,) = speech.open_questions(quick.session)
    assert quick.run("--yes", *EXIT).code == 4 and quick.children == 3
    speech.answer(quick.session, number, "it is in")
    assert quick.run("--yes", *EXIT).code == 0
    assert speech.answers(quick.session)[-1] == (number, "it is in", "file")
