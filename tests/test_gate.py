"""The gate: it reads the saves of real editors, and nothing is built on an answer that the human
took back."""

import signal
import time

import pytest

from tests.conftest import git
from tests.outer import speech
from tests.outer.speech import wait_for
from tests.outer.stage import DONE, EXIT, TO_PLANNING, Stage

BUILD = "commit('a.py', 'built'); signal('blocked', reason='built')"


# In an editor.


@pytest.mark.parametrize(
    ("saves", "answer"),
    [
        (("Answer: B\n", "Answer: B, but\n", "Answer: B, but only here\n"), "B, but only here"),
        (("", "Answer: B\n\nA remark of mine.\n"), "B\n\nA remark of mine."),
    ],
    ids=["piece by piece", "emptied first"],
)
def test_half_a_save_is_no_answer(stage: Stage, saves: tuple[str, ...], answer: str) -> None:
    """A page is read once it has not changed for a while. The loop never overwrites a save."""
    stage.extra = {"FAKE_SETTLE": "2"}
    stage.script("ask()", DONE)
    loop = stage.start()
    path = stage.session_soon() / "_qa.md"
    wait_for(path.exists)
    whole = path.read_text()
    for save in saves:
        path.write_text(whole.replace("Answer:\n", save) if save else "")
        time.sleep(0.1)
    loop.wait()
    assert stage.answers == [(answer, "file")]


def test_same_and_before(stage: Stage) -> None:
    """They are plain words, unless text was found or the answer was removed and the question does
    not offer them. Without a text that they refer to, they are no answer and stay on the page."""
    stage.script("ask('Before or after?', 'Where?')", DONE)
    stage.begin(*EXIT)
    said = [("same", ""), ("after", ""), ("", "is open again"), ("same", "no text that it refers")]
    for text, says in said:
        stage.answer(1, text)
        ended = stage.run(*EXIT)
        assert ended.code == 4 and says in ended.out
    assert "Answer: same" in (stage.session / "_qa.md").read_text()
    stage.answer(1, "before")
    stage.answer(2, "here")
    assert stage.run(*EXIT).code == 0
    assert [text for text, _ in stage.answers] == ["same", "after", "before", "here"]


def test_an_answer_without_a_word_stays_on_the_page(stage: Stage) -> None:
    """The loop says that it is no answer, also if it replaces one, and does not print over it."""
    stage.script("ask('Which path?', 'Where?')", DONE)
    stage.begin(*EXIT)
    for text in ("/", "**", "/home", "*", "TBD"):
        stage.answer(1, text)
        ended = stage.run(*EXIT)
        assert ended.code == 4 and (f"`{text}` is not taken" in ended.out) == (text != "/home")
        assert f"Answer: {text}\n" in (stage.session / "_qa.md").read_text()
    assert stage.answers == [("/home", "file")] and 1 in speech.open_questions(stage.session)


# Second thoughts.


def edit(stage: Stage, old: str, new: str) -> None:
    """Change one place of the page, as an editor saves it."""
    path = stage.session / "_qa.md"
    wait_for(lambda: path.exists() and old in path.read_text())
    speech.save(path, path.read_text().replace(old, new, 1))


def built(stage: Stage) -> bool:
    return (stage.worktree / "a.py").read_text() == "built"


@pytest.mark.parametrize("new", ["Answer: no, stop", "Answer:"])
@pytest.mark.parametrize("yes", [(), ("--yes",)], ids=["by the human", "by --yes"])
def test_an_approval_taken_back(stage: Stage, yes: tuple[str, ...], new: str) -> None:
    """The iteration ends, and then the human is asked again. --yes does not answer for them."""
    stage.script(TO_PLANNING, "plan()", "hold(); signal()", BUILD)
    loop = stage.start(*((*EXIT, *yes) if yes else ()))
    if not yes:
        stage.answer(1, "yes")
    stage.up(3)
    edit(stage, "Answer: approve" if yes else "Answer: yes", new)
    stage.go()
    if not yes:
        wait_for(lambda: "Answered before:" in (stage.session / "_qa.md").read_text())
        wait_for(lambda: len(stage.outcomes) == 3)
    printed = loop.wait().out if yes else loop.kill()
    assert not built(stage) and len(stage.outcomes) == 3, printed
    assert loop.code == (4 if yes else -signal.SIGKILL)


def test_an_approval_taken_back_leaves_the_commits(stage: Stage) -> None:
    """They do not count as changes of the next child."""
    note = "write('told', repr(ITERATION['notes'])); plan(name='plan2.md')"
    stage.script(TO_PLANNING, "plan()", "commit('a.py', 'built'); ask()", note)
    stage.begin(*EXIT)
    stage.answer(1, "yes")
    assert stage.run(*EXIT).code == 4
    edit(stage, "Answer: yes", "Answer: no, do it otherwise")
    stage.answer(2, "A")
    ended = stage.run(*EXIT)
    assert ended.code == 4 and built(stage), ended.out
    assert "do it otherwise" in (stage.session / "told").read_text()
    assert stage.history("iteration")[-1]["phase"] == "planning"


def test_a_plan_that_changes_during_a_wait(stage: Stage) -> None:
    """The loop shows the new approval question, too."""
    stage.script(TO_PLANNING, "plan()", "ask()")
    loop = stage.start()
    stage.answer(1, "yes")
    wait_for(lambda: 2 in speech.asked(stage.session))
    (stage.session / "plan.md").write_text("# Another plan\n")
    stage.answer(2, "here")
    wait_for(lambda: "## Q3: Approve the plan plan.md?" in loop.out)


def test_the_humans_own_changes_before_approval(stage: Stage) -> None:
    """They do not count as a child's change of code."""
    stage.script("ask()", TO_PLANNING, "plan()")
    assert stage.begin(*EXIT).code == 4
    (stage.worktree / "a.py").write_text("the human's\n")
    git("commit", "-qam", "by hand", cwd=stage.worktree)
    (stage.worktree / "test_a.py").write_text("and this\n")
    stage.answer(1, "A")
    assert stage.run(*EXIT).code == 4
    assert stage.outcomes == ["waiting", "continue", "waiting"]
