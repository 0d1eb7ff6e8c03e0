"""Every signal a child can leave, and ways to leave it wrong (all in tests/test_signals.py)."""

from __future__ import annotations

import pytest

from tests.outer import speech
from tests.outer.stage import DONE, TO_DONE, TO_PLANNING, WORK, Stage

FILE = "(SESSION / '_signal.json')"
MALFORMED = {
    "absent": "pass",
    "not JSON": 'raw(b\'{"status": "continue"\')',
    "an unknown status": "signal('finished')",
    "a link": f"write('s', '{{\"status\": \"continue\"}}'); {FILE}.symlink_to('s')",
    "a fifo": f"os.mkfifo({FILE})",
    "a directory": f"{FILE}.mkdir()",
    "over 64 KB": "raw(b'{\"status\": \"continue\"' + b' ' * 70000 + b'}')",
    "done without a summary": "signal('done')",
    "waiting without a question": "speech.ask_nothing(SESSION, 'qa_answers')",
    "a plan outside planning": "plan()",
}


@pytest.mark.parametrize("step", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_signal_is_never_continue(stage: Stage, step: str) -> None:
    """The next child is told; two or three such ends in a row are blocked, and nothing moved."""
    stage.script(default="work(); " + step)
    ended = stage.begin("--on-wait", "exit")
    assert ended.code == 3, ended.out
    check_strikes(stage, "investigation", 0)


def check_strikes(stage: Stage, phase: str, before: int) -> None:
    """All children after `before` were in one phase, none was obeyed, and each was told."""
    lines = speech.iterations(stage.session)[before:]
    assert 2 <= len(lines) <= 3 and stage.children == before + len(lines)
    assert {line["phase"] for line in lines} == {phase}
    assert not {line["outcome"] for line in lines} & {"continue", "waiting", "done"}
    assert speech.open_questions(stage.session) == {}
    assert stage.previous(before + 2)["note"]


@pytest.mark.parametrize(
    "step",
    [
        "signal('waiting', wait='plan_approval', plan='nowhere.md')",
        "signal('waiting', wait='plan_approval', plan='../../etc/passwd')",
        "plan('')",
    ],
    ids=["missing", "elsewhere", "empty"],
)
def test_a_plan_that_is_not_there_is_not_asked_about(stage: Stage, step: str) -> None:
    """The signal is invalid, with --yes too."""
    stage.script(TO_PLANNING, default="work(); " + step)
    assert stage.begin("--yes").code == 3
    check_strikes(stage, "planning", 1)


@pytest.mark.parametrize("phase", ["implementation", "quality"])
def test_done_in_a_phase_that_does_not_end(stage: Stage, phase: str) -> None:
    """After approval `done` is legal in phase done only."""
    goes = [] if phase == "implementation" else [f"work(); signal(phase={phase!r})"]
    stage.script(TO_PLANNING, "plan()", *goes, default="work(); " + DONE)
    assert stage.begin("--yes").code == 3
    check_strikes(stage, phase, 2 + len(goes))


def test_done_in_planning(stage: Stage) -> None:
    """Nor is it legal in planning."""
    stage.script(TO_PLANNING, default="work(); " + DONE)
    assert stage.begin("--yes").code == 3
    check_strikes(stage, "planning", 1)


def test_done_with_work_that_no_commit_holds(stage: Stage) -> None:
    """The child is told the file's name; once it is committed, done counts."""
    leave = "Path('a.py').write_text('two\\n'); " + TO_DONE
    stage.script(TO_PLANNING, "plan()", leave, DONE, "git('commit', '-qam', 'two'); " + DONE)
    assert stage.begin("--yes").code == 0
    assert "a.py" in stage.told(5) and stage.outcomes.count("done") == 1
    assert stage.outcomes[-1] == "done" and stage.children == 5


def test_done_on_another_branch(stage: Stage) -> None:
    """The work must be on the session's branch."""
    away = "git('switch', '-qc', 'mine'); commit('a.py', 'two\\n'); " + TO_DONE
    stage.script(TO_PLANNING, "plan()", away, default="work(); " + DONE)
    assert stage.begin("--yes").code == 3
    assert "done" not in stage.outcomes and "mine" in stage.told(5)


def test_a_good_signal_after_a_bad_one_goes_on(stage: Stage) -> None:
    """One strike is forgiven, again and again."""
    stage.script("work(); raw(b'{')", WORK, "work()", WORK, "work(); raw(b'')", DONE)
    assert stage.begin().code == 0 and stage.children == 6


def test_continue_without_a_phase_stays(stage: Stage) -> None:
    """`continue` alone keeps the phase; with one it goes there."""
    stage.script(WORK, "work(); signal(phase='requirements')", WORK, DONE)
    assert stage.begin().code == 0
    phases = [line["phase"] for line in speech.iterations(stage.session)]
    assert phases == ["investigation", "investigation", "requirements", "requirements"]


def test_continue_that_does_nothing_is_stopped(stage: Stage) -> None:
    """Three in a row that left nothing behind; a restart goes on."""
    stage.script(default="signal()")
    assert stage.begin().code == 3 and stage.children == 3
    stage.then(DONE)
    assert stage.run().code == 0


def test_work_that_goes_in_circles_is_stopped(stage: Stage) -> None:
    """A phase that is entered for the seventh time."""
    step = "work(); signal(phase='requirements' if PHASE == 'investigation' else 'investigation')"
    stage.script(default=step)
    assert stage.begin().code == 3 and 11 <= stage.children <= 13


def test_blocked_stops_with_the_childs_words(stage: Stage) -> None:
    """Reason and need are shown; running again goes on."""
    stage.script("signal('blocked', reason='no key for X', needs='buy one')", DONE)
    ended = stage.begin()
    assert ended.code == 3 and "no key for X" in ended.out and "buy one" in ended.out
    assert stage.run().code == 0


def test_a_good_signal_beats_the_exit_code(stage: Stage) -> None:
    """A child that signalled done and then failed is done."""
    stage.script("signal('done', summary='s'); RESULT.update(is_error=True)")
    assert stage.begin().code == 0


def test_a_good_signal_beats_the_time_limit(stage: Stage) -> None:
    """It counts although the child had to be ended."""
    stage.script("signal(phase='requirements'); work(); time.sleep(600)", DONE)
    assert stage.begin("--timeout", "2").code == 0
    assert speech.iterations(stage.session)[1]["phase"] == "requirements"


def test_a_stale_done_ends_no_later_run(stage: Stage) -> None:
    """A signal from before the child was started is not the child's."""
    stage.script(WORK, default="work()")
    assert stage.begin("--max-iterations", "1").code == 5
    speech.send(stage.session, "done", summary="stale")
    ended = stage.run()
    assert ended.code == 3 and "done" not in stage.outcomes
