"""The loop is killed with SIGKILL at random moments and started again; `python bench/crash.py
--kills 300` is the long run."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from bench.crash import Tally, place, tell
from tests.harness import ROOT
from tests.killing import HOWS, Death

KILLS = 12
# Where a kill hurts: between two steps that belong together. FILE:FUNCTION is its return.
WEAK = (
    "samocode/record/files.py:remove",
    "samocode/session.py:begin",
    "samocode/pages/iteration.py:write",
    "samocode/record/files.py:created",
    "samocode/child/processes.py:spawn",
    "samocode/child/processes.py:end_tree",
    "samocode/session.py:put_back",
    "samocode/gate/answers.py:after_child",
    "samocode/session.py:record",
    "samocode/record/files.py:append",
    "samocode/record/files.py:write_bytes",
    "samocode/record/files.py:create",
    "samocode/pages/swap.py:_link",
    "samocode/pages/swap.py:swap",
    "samocode/pages/qa_file.py:print",
    "samocode/task.py:collect",
    "samocode/gate/approval.py:ask",
    "samocode/gate/approval.py:_approve",
    "samocode/gate/answers.py:_record",
    "samocode/gate/answers.py:collect",
)


@pytest.mark.parametrize("weak", WEAK)
def test_the_weak_places_are_there(weak: str) -> None:
    """A name that is gone would never come, and the kill would fall on another moment."""
    name, _, function = weak.partition(":")
    assert f"def {function}(" in (ROOT / name).read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the ways to kill need inotify and /proc")
def test_killed_again_and_again(tmp_path: Path) -> None:
    """Whatever the moment: it goes on, and nothing is lost, doubled, torn or left running."""
    dice = random.Random()  # noqa: S311 - a dice, no secret
    tally = Tally("mixed")
    death = Death(HOWS, dice, dice.sample(WEAK * 2, len(WEAK) * 2))
    tell(place(tmp_path, "told", dice.random()), death, KILLS, tally)
    assert tally.sessions == 1 and tally.kills >= KILLS // 3
