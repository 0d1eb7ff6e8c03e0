"""Refusals and outages of the API, usage limits, and a claude that crashes or does not end."""

from __future__ import annotations

import pytest

from tests.outer.stage import DONE, WORK, Stage

REFUSED = {
    "a refused login": ("api_error('authentication_failed', 401)", "claude auth login"),
    "a refused login, asked again": (
        "retry('authentication_failed', 401, 5); time.sleep(600)",
        "claude auth login",
    ),
    "an unknown refusal": ("api_error('unknown', 400, 'A spending cap')", "A spending cap"),
}


@pytest.mark.parametrize(("step", "remedy"), REFUSED.values(), ids=REFUSED)
def test_what_time_does_not_mend_blocks(stage: Stage, step: str, remedy: str) -> None:
    """A refusal blocks after one child, with the remedy. The printed command resumes."""
    stage.script(step, DONE)
    ended = stage.begin()
    assert ended.code == 3 and remedy in ended.out and stage.children == 1
    assert stage.alive == []
    assert stage.execute(ended.command).code == 0


def test_an_outage_is_waited_out(stage: Stage) -> None:
    """The loop waits and tries again until the API answers."""
    outage = "api_error('server_error', 529)"
    stage.script(outage, outage, DONE)
    assert stage.begin(fast=True).code == 0
    assert stage.children == 3 and stage.outcomes[-1] == "done"


CRASH = "NO_INIT = 1; print('segfault, sorry', file=sys.stderr); sys.exit(1)"


@pytest.mark.parametrize("first", [WORK, CRASH], ids=["later", "from the start"])
def test_a_claude_that_keeps_crashing(stage: Stage, first: str) -> None:
    """After a claude that ended without a result, a new one is started and told about it. The third
    crash in a row ends the session with 1, the first one with 3 if no claude ever worked."""
    stage.script(first, default=CRASH)
    ended = stage.begin(fast=True)
    assert (ended.code, stage.children) == ((1, 4) if first == WORK else (3, 1))
    assert "segfault, sorry" in ended.out
    assert first != WORK or "segfault, sorry" in stage.told(3)
    stage.then(DONE)
    assert stage.begin().code == 0


def test_a_claude_that_never_leaves(stage: Stage) -> None:
    """A claude that does not exit after its result is ended, and its signal counts."""
    stage.script(DONE + "; emit(type='result', **RESULT); time.sleep(600)")
    assert stage.begin(fast=True).code == 0 and stage.alive == []
