"""A loop that is killed at any moment loses nothing and does nothing twice.
tests/outer/test_kills.py kills at every line of the record."""

from __future__ import annotations

import inspect
import json
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.killing import DYING, marked
from samocode.child import processes
from samocode.pages import swap
from tests.faults import ASK, DONE, begun, goes_on
from tests.harness import Project, end, wait_for

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
EXIT = ("--on-wait", "exit")
# Between two steps that belong together, apart from an append (tests/outer/test_kills.py has those)
# and from the print of a page. FILE:FUNCTION is its return.
WEAK = (
    "record/files.py:remove",
    "pages/iteration.py:write",
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
def test_killed_between_two_steps(project: Project, place: str) -> None:
    """Early in one start and later in the next one: nothing is lost or done twice."""
    project.script(default=WHOLE)
    for hit in (1, 3):
        killed = run_until(project, f"samocode/{place}:{hit}", "--yes", "--task", "t")
        assert killed == -signal.SIGKILL or (killed, hit) == (0, 3), "the place never came"
    goes_on(project, [], "--yes", task="t")
    assert project.outcomes().count("done") == 1 and len(project.history("approved")) == 1
    assert len(answers(project)) == len(project.history("asked")) == 2
    assert (project.worktree / "b.py").exists()


def run_until(project: Project, place: str, *args: str) -> int:
    """Run the loop until it is killed at this place of its code, if it comes there; its code."""
    loop = Project(project.folder, project.repo, {"DIE_BEFORE": place}, program=DYING)
    return loop.run(*args).returncode


def lines_of(function: Callable[..., object]) -> dict[str, int]:
    """The lines of a function, with their numbers."""
    text, first = inspect.getsourcelines(function)
    return {line.strip(): first + n for n, line in enumerate(text)}


def answers(project: Project) -> list[str]:
    """The answers on record, in order."""
    return [line["text"] for line in project.history("answer")]


@pytest.mark.parametrize("page", ["_task.md", "_qa.md"])
def test_killed_while_a_page_is_printed(project: Project, page: str) -> None:
    """What the human wrote into both pages is on record once, and both are whole again.
    tests/test_swap.py kills before every step of a print."""
    project.script(ASK, default=DONE)
    assert project.run(*EXIT, task="the words").returncode == 4
    with (project.session / "_task.md").open("a") as file:
        file.write("\nand a note\n")
    project.answer(1, "mine")
    hit = 1 if page == "_task.md" else 2
    (line,) = (n for text, n in lines_of(swap.swap).items() if text.startswith("old = "))
    assert run_until(project, f"samocode/pages/swap.py:{line}:{hit}") == -signal.SIGKILL
    goes_on(project, [])
    assert answers(project) == ["mine"]
    assert [given["text"] for given in project.history("task")] == ["the words", "and a note"]
    assert (project.session / "_task.md").read_text().count("and a note") == 1
    assert (project.session / "_qa.md").read_text().endswith("\nAnswer: mine\n")
    assert not [path.name for path in project.session.iterdir() if "swap" in path.name]


@pytest.mark.parametrize("text", ["other", "same"])
def test_killed_between_an_answer_and_its_page(project: Project, text: str) -> None:
    """The answer is on record once. `same` takes a text that was found."""
    forge = "forge(1, 'forged'); signal('continue')"
    project.script(ASK, forge, default=DONE)
    assert project.run(*EXIT, task="t").returncode == 4
    project.answer(1, "mine")
    assert project.run(*EXIT).returncode == 4
    project.answer(1, text)
    killed = run_until(project, "samocode/gate/answers.py:_record:1", *EXIT)
    assert killed == -signal.SIGKILL
    assert project.run(*EXIT).returncode == 0
    given = "forged" if text == "same" else text
    assert answers(project) == ["mine", given]


@linux
def test_killed_before_the_kernel_knows_whose_child_it_is(project: Project) -> None:
    """The child that was just started ends too, without a prompt."""
    project.script("time.sleep(60)")
    (place,) = (n for line, n in lines_of(processes.spawn).items() if "F_SETOWN" in line)
    killed = run_until(project, f"samocode/child/processes.py:{place}:1", "--task", "t")
    assert killed == -signal.SIGKILL
    wait_for(lambda: not list(marked(project.folder)))
    assert not list(project.steps.glob("run-*.json"))


def test_what_a_killed_setup_left_is_ended(project: Project) -> None:
    project.configure(SETUP="(setsid sleep 300 & echo $! > ../../left); sleep 60")
    project.script(DONE)
    left = project.folder / "left"
    loop = project.start(task="t")
    wait_for(lambda: left.exists() and left.read_text())
    end(loop)
    project.configure(SETUP="true")
    assert project.run().returncode == 0
    wait_for(lambda: not Path("/proc", left.read_text().strip()).exists())


@pytest.mark.parametrize("logs", ["", "import shutil; shutil.rmtree(SESSION / '_logs');"])
def test_an_answer_of_a_killed_loops_child(project: Project, logs: str) -> None:
    """Nobody knows who wrote it, even if the child removed its log: the answer on record stays
    until a human takes the new one. --yes does not."""
    project.script(ASK, f"{logs}forge(1, 'other'); write('there'); time.sleep(60)", default=DONE)
    assert project.run(*EXIT, task="t").returncode == 4
    project.answer(1, "mine")
    loop = project.start()
    wait_for(lambda: (project.session / "there").exists())
    end(loop)
    assert project.run(*EXIT, "--yes").returncode == 4
    page = (project.session / "_qa.md").read_text()
    assert "> mine\n\nNot taken yet:\n\n> other\n\nAnswer:\n" in page
    assert answers(project) == ["mine"]
    (project.steps / "2.py").write_text(DONE)
    loop = project.start()
    wait_for(lambda: len(project.history("start")) == 4)
    project.answer(1, "same")
    printed = loop.communicate(timeout=30)[0]
    assert loop.returncode == 0, printed
    assert answers(project) == ["mine", "other"]


def test_killed_and_the_working_directory_gone(project: Project) -> None:
    """Recovery has nothing to look at, and the session continues all the same."""
    before = begun(project)
    (project.steps / "2.py").write_text("signal('continue'); write('there'); time.sleep(60)")
    loop = project.start()
    wait_for(lambda: (project.session / "there").exists())
    end(loop)
    shutil.rmtree(project.worktree)
    goes_on(project, before)


def test_a_signal_is_obeyed_once(project: Project) -> None:
    """Once its iteration is on record it is not read again, whatever `_iteration.json` says."""
    forge = "(SESSION / '_iteration.json').write_text('{\"iteration\": 2}')"
    project.script("signal('blocked', reason='r'); " + forge, default=DONE)
    assert project.run(task="t").returncode == 3
    assert project.run().returncode == 0
    assert project.outcomes() == ["blocked", "done"]


def test_everything_that_a_kill_can_leave(project: Project) -> None:
    """A torn line, a stale lock, a temporary file, half a signal and no log: the session
    continues."""
    project.script(default=DONE)
    project.run("--max-iterations", "0", task="the words")
    folder = project.session
    begin = {"t": "2026-01-08T10:00:00+00:00", "event": "begin", "n": 1, "phase": "investigation"}
    with (folder / "_history.jsonl").open("a") as file:
        file.write(json.dumps(begin | {"log": "../../../etc/passwd"}) + "\n")
        file.write('{"t": "2026-01-08T10:00:00+00:00", "event": "iterat')
    (folder.parent / ".locks" / folder.name).write_text('{"pid": 1, "host": "x", "since": "y"}')
    now = {"iteration": 1, "log": "../../../etc/passwd"}
    (folder / "_iteration.json").write_text(json.dumps(now))
    (folder / "_iteration.json.loop.tmp").write_text("half")
    (folder / "_signal.json").write_text('{"status": "contin')
    goes_on(project, [])
    assert project.outcomes() == ["interrupted", "done"]
