"""The human's part: the saves of real editors, and second thoughts. Every word counts, and nothing
is built on an answer that was taken back."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import git
from tests.faults import ASK, DONE
from tests.harness import Project, end, wait_for

TO_PLANNING = "signal('continue', phase='planning')"
BUILD = "commit('a.py', 'built'); signal('blocked', reason='built')"
TOLD = "signal('blocked', reason=repr(ITERATION['notes']))"
SLEEP = "write('up'); time.sleep(60)"
UNTIL_GO = "write('up')\nwhile not (SESSION / 'go').exists(): time.sleep(0.02)\nsignal('continue')"
EXIT = ("--on-wait", "exit")


def answers(project: Project) -> list[tuple[str, str]]:
    """(text, by) of every answer on record, in order."""
    return [(line["text"], line["by"]) for line in project.history("answer")]


def at_gate(project: Project) -> Path:
    """The page, once the loop has printed it and waits."""
    wait_for(lambda: project.history("asked") and (project.session / "_qa.md").exists())
    return project.session / "_qa.md"


# In an editor.


@pytest.mark.parametrize(
    ("saves", "answer"),
    [
        (("Answer: B\n", "Answer: B, but\n", "Answer: B, but only here\n"), "B, but only here"),
        (("", "Answer: B\n\nA remark of mine.\n"), "B\n\nA remark of mine."),
    ],
    ids=["piece by piece", "emptied first"],
)
def test_half_a_save_is_no_answer(project: Project, saves: tuple[str, ...], answer: str) -> None:
    """Only a page that has not changed for a while is read, and none is printed over a save."""
    project.extra = {"FAKE_SETTLE": "2"}
    project.script(ASK, DONE)
    loop = project.start(task="t")
    path = at_gate(project)
    whole = path.read_text()
    for save in saves:
        path.write_text(whole.replace("Answer:\n", save) if save else "")
        time.sleep(0.1)
    loop.communicate(timeout=30)
    assert answers(project) == [(answer, "file")]


def test_same_with_nothing_to_take(project: Project) -> None:
    """`same` takes a text that was found. Without one it is no answer, and stays on the page."""
    project.script(ASK, DONE)
    project.run(*EXIT, task="t")
    project.answer(1, "same")
    ended = project.run(*EXIT)
    assert ended.returncode == 4 and "there is no text that" in ended.stdout
    assert "Answer: same" in (project.session / "_qa.md").read_text() and answers(project) == []


# Second thoughts.


def edit(project: Project, old: str, new: str) -> None:
    """Change one place of the page, as an editor saves it."""
    path = project.session / "_qa.md"
    wait_for(lambda: path.exists() and old in path.read_text())
    temporary = path.with_name("human.tmp")
    temporary.write_text(path.read_text().replace(old, new, 1))
    temporary.rename(path)


def approved(project: Project, *steps: str, args: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A loop whose plan the human approved, in the first of these steps."""
    project.script(TO_PLANNING, "plan()", *steps)
    loop = project.start(*args, task="t")
    if "--yes" not in args:
        at_gate(project)
        project.answer(1, "yes")
    wait_for(lambda: project.history("approved") and (project.session / "up").exists())
    return loop


def built(project: Project) -> bool:
    """Whether code was built on the plan."""
    return (project.worktree / "a.py").read_text() == "built"


TAKEN_BACK = ["Answer: no, stop", "NO, stop", "Answer:"]


@pytest.mark.parametrize("new", TAKEN_BACK)
def test_an_approval_taken_back_after_a_kill(project: Project, new: str) -> None:
    """The child of the killed loop may have written it, so the human is asked again."""
    end(approved(project, SLEEP, BUILD))
    edit(project, "Answer: yes", new)
    again = project.run(*EXIT)
    assert again.returncode == 4 and not built(project), again.stdout
    words = new.removeprefix("Answer:").strip()
    assert f"Not taken yet:\n> {words}" in again.stdout or not words
    project.answer(1, "same" if words else "no, stop")
    assert project.run("--max-iterations", "1").returncode in (3, 5)
    assert project.history("answer")[-1]["took"] == ["change"]


@pytest.mark.parametrize("new", TAKEN_BACK)
@pytest.mark.parametrize("yes", [(), ("--yes",)], ids=["by the human", "by --yes"])
def test_an_approval_taken_back_while_a_child_runs(
    project: Project, yes: tuple[str, ...], new: str
) -> None:
    """The iteration ends, and then the human is asked. --yes does not answer over them."""
    loop = approved(project, UNTIL_GO, BUILD, args=(*EXIT, *yes) if yes else ())
    edit(project, "Answer: approve" if yes else "Answer: yes", new)
    (project.session / "go").touch()
    if not yes:
        wait_for(lambda: "Answered before:" in (project.session / "_qa.md").read_text())
        wait_for(lambda: len(project.outcomes()) == 3)
    printed = loop.communicate(timeout=30)[0] if yes else end(loop)
    assert not built(project) and len(project.outcomes()) == 3, printed
    assert loop.returncode == (4 if yes else -signal.SIGKILL)


def test_an_approval_taken_back_leaves_the_commits(project: Project) -> None:
    """What was built while the plan was approved stays, and the next child is not blamed for it."""
    note = "write('told', repr(ITERATION['notes'])); plan(name='plan2.md')"
    project.script(TO_PLANNING, "plan()", f"commit('a.py', 'built'); {ASK}", note)
    project.run(*EXIT, task="t")
    project.answer(1, "yes")
    assert project.run(*EXIT).returncode == 4
    edit(project, "Answer: yes", "Answer: no, do it otherwise")
    project.answer(2, "A")
    ended = project.run(*EXIT)
    assert ended.returncode == 4 and built(project), ended.stdout
    assert "do it otherwise" in (project.session / "told").read_text()
    assert project.history("iteration")[-1]["phase"] == "planning"


def test_a_plan_that_changes_during_a_wait(project: Project) -> None:
    """The approval that is asked for again is shown, too."""
    project.script(TO_PLANNING, "plan()", ASK, TOLD)
    loop = project.start(task="t")
    at_gate(project)
    project.answer(1, "yes")
    wait_for(lambda: len(project.history("asked")) == 2)
    (project.session / "plan.md").write_text("# Another plan\n")
    project.answer(2, "here")
    wait_for(lambda: "## Q3" in (project.session / "_qa.md").read_text())
    assert "## Q3: Approve the plan plan.md?" in end(loop)


def test_the_humans_own_changes_before_approval(project: Project) -> None:
    """Each child is compared with the moment it began at: what a person commits or edits in the
    worktree between two children is nobody's fault."""
    project.script(ASK, TO_PLANNING, "plan()")
    assert project.run(*EXIT, task="t").returncode == 4
    (project.worktree / "a.py").write_text("the human's\n")
    git("commit", "-qam", "by hand", cwd=project.worktree)
    (project.worktree / "test_a.py").write_text("and this\n")
    project.answer(1, "A")
    assert project.run(*EXIT).returncode == 4
    assert project.outcomes() == ["waiting", "continue", "waiting"]
