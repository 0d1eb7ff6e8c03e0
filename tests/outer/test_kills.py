"""SIGKILL of the loop at every append to the history: nothing is lost, nothing is done twice."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from tests.outer import speech
from tests.outer.speech import wait_for
from tests.outer.stage import DONE, EXIT, HERE, TO_DONE, Ended, Loop, Stage, git

HISTORY = "_history.jsonl"
SESSION = f"""
if PHASE == "investigation":
    work(); ask("Which?", phase="planning")
elif PHASE == "planning":
    plan()
elif PHASE == "implementation":
    commit("built.txt", str(NUMBER)); {TO_DONE}
else:
    {DONE}
"""
MOST_STARTS = 4  # after the kill, until the session is done


class Human:
    """Answers each open question on the page, each with a different text."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.given: list[str] = []

    def see_through(self, loop: Loop) -> Ended:
        """Answer until the loop ends."""
        while loop.running:
            time.sleep(0.02)
            if not self.stage.has_history() or not self.waits():
                continue
            for number, kind in speech.open_questions(self.stage.session).items():
                if speech.blank(self.stage.session, number):
                    self.answer(number, kind)
        return loop.wait()

    def waits(self) -> bool:
        """Whether no child is pending. What is saved then is certainly the human's."""
        steps = [line["event"] for line in speech.history(self.stage.session)]
        return [step for step in steps if step in ("begin", "iteration")][-1:] == ["iteration"]

    def answer(self, number: int, kind: str) -> None:
        """Give an answer that no other question has. A plan gets one of several forms of yes."""
        words = f"answer {len(self.given)} to Q{number}"
        if kind == "approval":
            words = ("yes", "Yes.", "ok", "Ok!", "approve", "lgtm")[len(self.given) % 6]
        speech.answer(self.stage.session, number, words)
        self.given.append(words)


def killed_at(stage: Stage, number: int, how: str) -> bool:
    """Run a session, kill it at this append, and start it until it is done. Return whether the
    session has so many appends."""
    stage.script(default=SESSION)
    human = Human(stage)
    launcher = [sys.executable, str(HERE / "dying.py"), str(number), how, HISTORY]
    first = human.see_through(stage.start(fast=True, before=launcher))
    ended = first
    for _ in range(MOST_STARTS):
        if ended.code == 0:
            break
        assert ended.code == -signal.SIGKILL or ended is not first, ended.out
        ended = human.see_through(stage.start(fast=True))
    assert ended.code == 0, f"append {number}, {how}: {ended.out}"
    check(stage, human)
    return first.code != 0


def check(stage: Stage, human: Human) -> None:
    """Check that nothing was lost and nothing was done twice."""
    lines = speech.iterations(stage.session)  # each line is valid JSON, or this fails
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    assert stage.outcomes.count("done") == 1 and stage.outcomes[-1] == "done"
    runs = [path.name.split("-")[1] for path in stage.steps.glob("run-*.json")]
    assert len(set(runs)) == len(runs), "two children had one number"
    assert len(runs) <= len(lines) and len(lines) <= 6
    obeyed = [line["phase"] for line in lines if line["outcome"] in ("continue", "waiting", "done")]
    assert obeyed == ["investigation", "planning", "implementation", "done"]
    recorded = [text for _, text, _ in speech.answers(stage.session)]
    assert sorted(recorded) == sorted(human.given)
    assert speech.open_questions(stage.session) == {}
    assert git("show", f"{stage.branch}:built.txt", cwd=stage.repo).isdigit()
    assert git("status", "--porcelain", cwd=stage.worktree) == ""
    assert "build it" in (stage.session / "_task.md").read_text()
    wait_for(lambda: not stage.alive)


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_every_append(stage: Stage, before: bool, half: int) -> None:
    """Killed before the fsync (the line is lost or torn) or after it, the session reaches done."""
    for count in range(60):
        number = 2 * count + 1 + half
        place = Stage(stage.folder / str(number)).with_git()
        how = ("lost", "torn")[count % 2] if before else "after"
        more = killed_at(place, number, how)
        place.close()
        if not more:
            assert number > 10, "a session writes more lines than that"
            return
    pytest.fail("it never came to an end")


def kill(stage: Stage, loop: Loop) -> None:
    """Send SIGKILL to the loop only. Its child ends by itself."""
    assert loop.send(signal.SIGKILL).wait().code == -signal.SIGKILL
    wait_for(lambda: not stage.alive)


@pytest.mark.parametrize(
    ("step", "code", "ends"),
    [
        ("pass", 0, [("interrupted", "investigation"), ("done", "investigation")]),
        ("signal(phase='requirements')", 0,
            [("continue", "investigation"), ("done", "requirements")]),
        (DONE, 0, [("done", "investigation")]),
        ("ask('Which?')", 4, [("waiting", "investigation")]),
        ("Path('a.py').write_text('early'); signal()", 3, [("changed_code", "investigation")]),
    ],
    ids=["no signal", "continue", "done", "a question", "code before approval"],
)  # fmt: skip
def test_what_a_killed_run_left_is_judged_once(
    stage: Stage, step: str, code: int, ends: list[tuple[str, str]]
) -> None:
    """The next start judges the interrupted iteration as if the child had ended normally. Only then
    does it start another child, which is told the outcome."""
    stage.script(f"{step}; up(); time.sleep(600)", DONE)
    loop = stage.start()
    stage.up(1)
    kill(stage, loop)
    ended = stage.begin(*EXIT)
    assert ended.code == code, ended.out
    lines = speech.iterations(stage.session)
    assert [(line["outcome"], line["phase"]) for line in lines] == ends
    assert [line["n"] for line in lines] == list(range(1, len(ends) + 1))
    assert stage.children == len(ends)
    if stage.children == 2:
        assert stage.previous(2)["outcome"] == ends[0][0]
