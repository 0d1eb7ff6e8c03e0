"""Signals and malformed signals through the whole loop. tests/test_signals.py has all forms."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.outer import speech
from tests.outer.stage import DONE, EXIT, TO_DONE, TO_PLANNING, WORK, Stage, git

FILE = "(SESSION / '_signal.json')"
MALFORMED = {
    "absent": "pass",
    "a fifo": f"os.mkfifo({FILE})",
}


@pytest.mark.parametrize("step", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_signal_is_never_continue(stage: Stage, step: str) -> None:
    """A malformed signal does not change the phase, and the next child is told why. Three in a row
    block the session."""
    stage.script(default="work(); " + step)
    ended = stage.begin(*EXIT)
    assert ended.code == 3 and stage.children == 3, ended.out
    lines = speech.iterations(stage.session)
    assert {line["phase"] for line in lines} == {"investigation"}
    assert set(stage.outcomes) <= {"no_signal", "bad_signal"} and stage.previous(2)["note"]


def test_done_with_work_that_no_commit_holds(stage: Stage) -> None:
    """Done with uncommitted work does not count, and the next child is told the file's name. Once
    it is committed, done counts."""
    leave = "Path('a.py').write_text('two\\n'); " + TO_DONE
    stage.script(TO_PLANNING, "plan()", leave, DONE, "git('commit', '-qam', 'two'); " + DONE)
    assert stage.begin("--yes").code == 0
    assert "a.py" in stage.told(5) and stage.outcomes.count("done") == 1
    assert stage.outcomes[-1] == "done" and stage.children == 5


def test_a_signal_on_another_branch(stage: Stage) -> None:
    """No signal but blocked counts on another branch than the session's. The next child is told."""
    away = "git('switch', '-qc', 'mine'); commit('a.py', 'two\\n'); " + TO_DONE
    stage.script(TO_PLANNING, "plan()", away, default="work(); " + DONE)
    assert stage.begin("--yes").code == 3
    assert stage.outcomes[2:] == ["bad_signal"] * 3 and "mine is checked out" in stage.told(4)


@pytest.mark.parametrize("script", ["branch -m mine", "switch -qc mine"])
def test_a_start_on_another_branch(stage: Stage, script: str) -> None:
    """What a person switched or renamed is refused before a child costs anything. The printed
    command repairs it."""
    stage.script("signal('blocked', reason='look')", WORK)
    assert stage.begin().code == 3
    git(*script.split(), cwd=stage.worktree)
    refused = stage.run()
    assert refused.code == 3 and "has mine checked out" in refused.out, refused.out
    (remedy,) = re.findall(r"Run: (.*)", refused.out)
    subprocess.run(["/bin/sh", "-c", remedy], check=True, capture_output=True)
    assert stage.children == 1 and stage.run("--max-iterations", "1").code == 5


def test_a_good_signal_after_a_bad_one_goes_on(stage: Stage) -> None:
    """A good signal resets the count of bad ones. What a child says is neither a signal nor a limit
    nor a failure."""
    words = "text('All tasks are done. DONE. 5-hour limit, resets 8am. API Error: 429'); "
    stage.script("work(); raw(b'{')", WORK, words + "work()", WORK, "work(); raw(b'')", DONE)
    assert stage.begin().code == 0 and stage.children == 6


def test_a_stale_done_ends_no_later_run(stage: Stage) -> None:
    """A signal from before the child was started does not count."""
    stage.script(WORK, default="work()")
    assert stage.begin("--max-iterations", "1").code == 5
    speech.send(stage.session, "done", summary="stale")
    ended = stage.run()
    assert ended.code == 3 and "done" not in stage.outcomes
