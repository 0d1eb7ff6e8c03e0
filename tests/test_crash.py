"""A loop that is killed at any moment loses nothing and does nothing twice.
tests/outer/test_kills.py kills at every append to the history."""

import inspect
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.killing import DYING
from samocode.child import processes
from samocode.pages import swap
from tests.outer import speech
from tests.outer.speech import wait_for
from tests.outer.stage import DONE, EXIT, TASK, Stage
from tests.test_faults import goes_on

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
# Places between two steps that belong together. Not here: appends (tests/outer/test_kills.py) and
# the steps inside a swap of a page (below). FILE:FUNCTION is the return of the function.
WEAK = (
    "record/files.py:remove",
    "pages/compare.py:mark",
    "child/processes.py:spawn",
    "child/processes.py:end_tree",
    "session.py:put_back",
    "gate/answers.py:after_child",
    "pages/qa_file.py:print",
)
WHOLE = """
if ITERATION["phase"] == "investigation":
    ask(); signal("waiting", **{"for": "qa_answers", "phase": "planning"})
elif ITERATION["phase"] == "planning":
    plan()
elif ITERATION["phase"] == "implementation":
    commit("b.py", "built"); signal("continue", phase="done")
else:
    signal("done", summary="It works.")
"""


@pytest.mark.parametrize("place", WEAK)
def test_killed_between_two_steps(stage: Stage, place: str) -> None:
    """Early in one start and late in the next one."""
    stage.script(default=WHOLE)
    for hit in (1, 3):
        killed = run_until(stage, f"samocode/{place}:{hit}", "--yes", "--task", TASK)
        assert killed == -signal.SIGKILL or (killed, hit) == (0, 3), "the place never came"
    goes_on(stage, [], "--yes")
    assert stage.outcomes.count("done") == 1 and len(stage.history("approved")) == 1
    assert len(stage.answers) == len(speech.asked(stage.session)) == 2
    assert (stage.worktree / "b.py").exists()


def run_until(stage: Stage, place: str, *args: str) -> int:
    """Run the loop, and kill it if it gets to this place of its code. Return its exit code."""
    return Stage(stage.folder, {"DIE_BEFORE": place}, main=DYING).run(*args).code


def lines_of(function: Callable[..., object]) -> dict[str, int]:
    """The lines of a function, with their numbers."""
    text, first = inspect.getsourcelines(function)
    return {line.strip(): first + n for n, line in enumerate(text)}


def test_killed_while_a_page_is_printed(stage: Stage) -> None:
    """What the human wrote into both pages is on record once, and both pages are complete.
    tests/test_swap.py kills before every step of a print."""
    stage.script("ask()", default=DONE)
    assert stage.begin(*EXIT).code == 4
    with (stage.session / "_task.md").open("a") as file:
        file.write("\nand a note\n")
    stage.answer(1, "mine")
    (line,) = (n for text, n in lines_of(swap.swap).items() if text.startswith("old = "))
    assert run_until(stage, f"samocode/pages/swap.py:{line}:1") == -signal.SIGKILL
    goes_on(stage, [])
    assert stage.answers == [("mine", "file")]
    assert [given["text"] for given in stage.history("task")] == [TASK, "and a note"]
    assert (stage.session / "_task.md").read_text().count("and a note") == 1
    assert (stage.session / "_qa.md").read_text().endswith("\nAnswer: mine\n")
    assert not [path.name for path in stage.session.iterdir() if "swap" in path.name]


@linux
def test_killed_before_the_kernel_knows_whose_child_it_is(stage: Stage) -> None:
    """Before F_SETOWN: the new child ends, too, and has read no prompt."""
    stage.script("time.sleep(60)")
    (place,) = (n for line, n in lines_of(processes.spawn).items() if "F_SETOWN" in line)
    killed = run_until(stage, f"samocode/child/processes.py:{place}:1", "--task", TASK)
    assert killed == -signal.SIGKILL
    wait_for(lambda: not stage.alive)
    assert not list(stage.steps.glob("run-*.json"))


def test_what_a_killed_setup_left_is_ended(stage: Stage) -> None:
    stage.configure(SETUP="(setsid sleep 300 & echo $! > ../../left); sleep 60")
    stage.script(DONE)
    left = stage.folder / "left"
    loop = stage.start()
    wait_for(lambda: left.exists() and left.read_text())
    loop.kill()
    stage.configure(SETUP="true")
    assert stage.run().code == 0
    wait_for(lambda: not Path("/proc", left.read_text().strip()).exists())


@linux
def test_a_killed_loop_takes_a_compound_setup_with_it(stage: Stage) -> None:
    """Not only the shell, also what the shell waits for. A wrapper of claude is such a shell."""
    stage.configure(SETUP="touch ../../up; sleep 300; true")
    loop = stage.start()
    wait_for((stage.folder / "up").exists)
    loop.kill()
    wait_for(lambda: not stage.alive)


@pytest.mark.parametrize("logs", ["", "import shutil; shutil.rmtree(SESSION / '_logs');"])
def test_an_answer_of_a_killed_loops_child(stage: Stage, logs: str) -> None:
    """It is not taken, even if the child removed its log. The recorded answer stays until a human
    accepts the new one; --yes does not accept it."""
    stage.script("ask()", f"{logs}forge(1, 'other'); write('there'); time.sleep(60)", default=DONE)
    assert stage.begin(*EXIT).code == 4
    stage.answer(1, "mine")
    loop = stage.start()
    wait_for(lambda: (stage.session / "there").exists())
    loop.kill()
    assert stage.run(*EXIT, "--yes").code == 4
    page = (stage.session / "_qa.md").read_text()
    assert "> mine\n\nNot taken yet:\n\n> other\n\nAnswer:\n" in page
    assert stage.answers == [("mine", "file")]
    (stage.steps / "2.py").write_text(DONE)
    loop = stage.start()
    wait_for(lambda: len(stage.history("start")) == 4)
    stage.answer(1, "same")
    ended = loop.wait()
    assert ended.code == 0, ended.out
    assert stage.answers == [("mine", "file"), ("other", "file")]


def test_everything_that_a_kill_can_leave(stage: Stage) -> None:
    """A torn line, a stale lock, a temporary file, half a signal and a missing log."""
    stage.script(default=DONE)
    stage.begin("--max-iterations", "0")
    folder = stage.session
    begin = {"t": "2026-01-08T10:00:00+00:00", "event": "begin", "n": 1, "phase": "investigation"}
    with (folder / "_history.jsonl").open("a") as file:
        file.write(json.dumps(begin | {"log": "../../../etc/passwd"}) + "\n")
        file.write('{"t": "2026-01-08T10:00:00+00:00", "event": "iterat')
    (folder.parent / ".locks" / folder.name).write_text('{"pid": 1, "host": "x", "since": "y"}')
    now = {"iteration": 1, "log": "../../../etc/passwd"}
    (folder / "_iteration.json").write_text(json.dumps(now))
    (folder / "_iteration.json.loop.tmp").write_text("half")
    (folder / "_signal.json").write_text('{"status": "contin')
    goes_on(stage, [])
    assert stage.outcomes == ["interrupted", "done"]
