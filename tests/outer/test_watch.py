"""--watch and --until-change: follow a running loop from another process."""

from __future__ import annotations

import signal

from tests.outer import speech
from tests.outer.speech import wait_for
from tests.outer.stage import DONE, TO_DONE, TO_PLANNING, Ended, Loop, Stage


def other(stage: Stage, *args: str) -> Loop:
    """Another main.py for the session."""
    return stage.beside(stage.command(*args))


def changed(stage: Stage, *known: str) -> Ended:
    """--until-change, run to its end: at most twenty lines."""
    ended = stage.run("--until-change", *known)
    assert len(ended.out.splitlines()) <= 20, ended.out
    return ended


def test_watch_shows_a_session_to_its_end(stage: Stage) -> None:
    """--watch, started in the middle of an iteration, shows what the child did, the question, the
    answer, later iterations and the end, and has the loop's exit code."""
    stage.script("text('Reading a.py'); hold(); ask('Which?')", "text('Building it')\n" + DONE)
    loop = stage.start()
    stage.up(1)
    watching = other(stage, "--watch")
    wait_for(lambda: "Reading a.py" in watching.out)
    stage.go()
    speech.answer(stage.session, 1, "B")
    assert loop.wait().code == 0
    said = watching.wait()
    assert said.code == 0, said.out
    shown = [
        *("== Iteration 1: investigation", "Reading a.py", "-- asks you (", "Q1: Which?"),
        *("answer (file): B", "== Iteration 2:", "Building it", "-- done (", ": done\n"),
    ]
    places = [said.out.find(words) for words in shown]
    assert -1 not in places and places == sorted(places), said.out


def test_ctrl_c_ends_only_the_view(stage: Stage) -> None:
    stage.script("hold(); " + DONE)
    loop = stage.start()
    stage.up(1)
    watching = other(stage, "--watch")
    wait_for(lambda: "== Iteration 1" in watching.out)
    said = watching.send(signal.SIGINT).wait()
    assert said.code == 0 and "--stop" in said.out and "Traceback" not in said.out
    stage.go()
    assert loop.wait().code == 0


def test_a_killed_loop_is_reported(stage: Stage) -> None:
    """If the loop is killed, --watch and --until-change say so and end with 1."""
    stage.script("up(); time.sleep(600)")
    loop = stage.start()
    stage.up(1)
    views = [other(stage, flag) for flag in ("--watch", "--until-change")]
    wait_for(lambda: "== Iteration 1" in views[0].out)
    loop.send(signal.SIGKILL).process.wait()
    for view in views:
        ended = view.wait()
        assert ended.code == 1 and "The loop was killed" in ended.out
    none = stage.run("--watch")
    assert none.code == 2 and "No loop runs" in none.out and "To resume it:" in none.out


def test_a_session_that_no_loop_has_run(stage: Stage) -> None:
    """Nothing was killed where nothing ran."""
    assert stage.begin("--max-iterations", "0").code == 0
    none = stage.run("--until-change", fast=True)
    assert none.code == 2 and "No loop runs" in none.out and "To resume it:" in none.out


def test_a_parent_that_waits_for_changes(stage: Stage) -> None:
    """--until-change may be started before the loop. It ends at each gate, but not while a saved
    answer is not read yet. Given the number that the last call printed, it reports only a later
    question. It has the loop's exit code at the end."""
    waiting = other(stage, "--until-change")
    stage.script("ask('Which?', 'Where?')", TO_PLANNING, "plan()", TO_DONE, DONE)
    loop = stage.start()
    first = waiting.wait()
    assert first.code == 4 and "Q1: Which?" in first.out and "_qa.md" in first.out
    again = other(stage, "--until-change", first.out.split()[-1])
    speech.answer(stage.session, 1, "A")
    speech.answer(stage.session, 2, "B")
    second = changed(stage)
    for woken in (second, again.wait()):
        assert woken.code == 4 and "Q3:" in woken.out and "Q1:" not in woken.out
    again = other(stage, "--until-change", second.out.split()[-1])
    speech.answer(stage.session, 3, "B")
    assert "Q3: `B` is not taken: say what to change" in again.wait().out, "it wakes, too"
    speech.answer(stage.session, 3, "yes")
    assert changed(stage).code == loop.wait().code == 0
    assert changed(stage).code == 0, "it is over, and that is said again"


def test_until_change_reports_a_blocked_session_briefly(stage: Stage) -> None:
    stage.script("signal('blocked', reason='line\\n' * 200)")
    loop = stage.start()
    ended = changed(stage)
    assert ended.code == loop.wait().code == 3
    assert "blocked" in ended.out and "To go on" in ended.out and "more lines" in ended.out
    stage.name = "nobody"
    assert changed(stage).code == 2
