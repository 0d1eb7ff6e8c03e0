"""`samocode` without --session: it chooses the session, or a name from the words of the task."""

from __future__ import annotations

import pytest

from samocode.naming import from_words
from tests.outer.stage import DONE, Stage

BLOCKED = "signal('blocked', reason='hm')"


def names(stage: Stage) -> list[str]:
    """The sessions without their date."""
    return sorted(path.name[9:] for path in (stage.folder / "sessions").glob("[!.]*"))


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("Add JWT login", "add-jwt-login"),
        ("Please fix the login of our users, so that it times out", "fix-login-users-times"),
        ("Don't crash: a.b/c", "dont-crash-b-c"),
        ("Żółty przycisk", "zoty-przycisk"),
        ("the", "the"),
        ("修复登录", "task"),
        ("supercalifragilisticexpialidocious" * 3, "task"),
    ],
)
def test_a_name_from_words(task: str, name: str) -> None:
    assert from_words(task) == name


def test_the_same_task_is_one_session(stage: Stage) -> None:
    """The same task resumes its session. Another task, or the same one after done, begins a new
    session."""
    stage.script(default=BLOCKED)
    first = stage.nameless("--task", "Add the login")
    assert first.code == 3 and names(stage) == ["add-login"] and "-add-login" in first.out
    assert stage.nameless("--task", "Add the login").code == 3 and names(stage) == ["add-login"]
    stage.then(DONE)
    assert stage.nameless("--task", "Add login!").code == 0
    assert names(stage) == ["add-login", "add-login-2"]
    assert stage.nameless().code == 0, "add-login is the one that is not done"
    assert stage.nameless("--task", "Add the login").code == 0
    assert names(stage) == ["add-login", "add-login-2", "add-login-3"]


def test_a_name_that_is_probably_a_slip(quick: Stage) -> None:
    """A text for the beginning of an unfinished session's name, or for a dated name that does not
    exist, begins no session. A queue, which starts with --on-wait exit, makes no slips."""
    quick.script(default=BLOCKED)
    quick.name = "job-10"
    quick.begin()
    for name, says in (("job", "Add --session job-10"), ("25-01-01-job-10", "leave the date out")):
        quick.name = name
        slip = quick.begin()
        assert slip.code == 2 and says in slip.err and names(quick) == ["job-10"]
    quick.name = "job-1"
    assert quick.begin().code == 3 and names(quick) == ["job-1", "job-10"]
    quick.name = "job"
    assert quick.begin("--on-wait", "exit").code == 3 and names(quick) == ["job", "job-1", "job-10"]


def test_none_or_several(stage: Stage) -> None:
    """Without a task, no session or several sessions are an error that lists them."""
    stage.script(default=BLOCKED)
    none = stage.nameless()
    assert none.code == 2 and "begin one with --task" in none.out
    stage.begin()
    stage.name = "other"
    stage.begin()
    several = stage.nameless()
    assert several.code == 2 and "-work" in several.out and "-other" in several.out
    assert stage.children == 2
    stop = stage.nameless("--stop")
    assert stop.code == 2 and "No loop runs here" in stop.out


def test_sessions_of_another_project_do_not_count(stage: Stage) -> None:
    """Two projects may share SESSIONS. Only sessions of this project are chosen."""
    stage.script(default=BLOCKED)
    stage.begin()
    other = Stage(stage.folder / "other").with_git()
    other.configure(SESSIONS=str(stage.folder / "sessions"))
    said = other.nameless()
    assert said.code == 2 and "No session of this project" in said.out
