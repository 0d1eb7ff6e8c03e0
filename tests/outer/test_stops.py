"""Every way to stop a loop: what it leaves, and that the next start continues."""

from __future__ import annotations

import signal
import time

import pytest

from tests.outer.speech import wait_for
from tests.outer.stage import DONE, TO_PLANNING, WORK, Stage

STUBBORN = "leave(); leave(hidden=True); deaf(); up(); time.sleep(600)"


STOPS = {"Ctrl-C twice": 130, "SIGTERM": 143, "SIGHUP": 143}


@pytest.mark.parametrize("how", STOPS)
def test_a_stop_at_once_leaves_no_process(stage: Stage, how: str) -> None:
    """When the loop has ended, no process is left: neither a child that ignores SIGTERM nor its
    detached children."""
    stage.script(STUBBORN, DONE)
    loop = stage.start(fast=True)
    stage.up(1)
    assert len(stage.alive) >= 3
    if how == "Ctrl-C twice":
        while loop.running:  # the kernel merges two at once
            loop.send(signal.SIGINT)
            time.sleep(0.5)
    else:
        loop.send(signal.Signals[how])
    assert loop.wait().code == STOPS[how]
    assert stage.alive == []
    assert len(stage.outcomes) == 1 and stage.outcomes != ["done"]
    assert stage.run().code == 0 and stage.children == 2


def test_what_a_good_child_leaves_running_is_ended(stage: Stage) -> None:
    """Processes that a child left are ended before the next iteration begins."""
    look = "write('left', str([p for p in left() if Path('/proc', p).exists()])); "
    stage.script("leave(); leave(hidden=True); " + WORK, look + DONE)
    assert stage.begin(fast=True).code == 0
    assert (stage.session / "left").read_text() == "[]" and stage.alive == []


def test_the_time_limit_ends_everything_and_is_reported(stage: Stage) -> None:
    """At the time limit all processes of the child are ended. The next child is told."""
    stage.script(STUBBORN, DONE)
    assert stage.begin("--timeout", "6", fast=True).code == 0
    assert stage.alive == [] and stage.previous(2)["outcome"] == "timeout"


def test_a_stop_during_verify(stage: Stage) -> None:
    """A stop ends VERIFY. The session is not done until VERIFY passes."""
    stage.configure(VERIFY="touch ../../began; [ -e ../../go ] || sleep 600")
    stage.script(TO_PLANNING, "plan()", "signal(phase='done')", default=DONE)
    loop = stage.start("--yes")
    wait_for((stage.folder / "began").exists)
    assert loop.send(signal.SIGTERM).wait().code == 143
    assert stage.alive == [] and "done" not in stage.outcomes
    (stage.folder / "go").touch()
    assert stage.run().code == 0 and stage.outcomes.count("done") == 1
