"""What went wrong in the field with such loops, each case with the right behaviour."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.outer import speech
from tests.outer.stage import DONE, TO_DONE, TO_PLANNING, Stage, git

BUILT = ["continue", "waiting", "continue"]


def build(stage: Stage, *steps: str, default: str = DONE) -> None:
    """Script a session whose plan is approved before these steps."""
    stage.script(TO_PLANNING, "plan()", *steps, default=default)


def commit_all(stage: Stage) -> None:
    """Commit what a test made in the user's repository."""
    git("add", ".", cwd=stage.repo)
    git("-c", "user.name=T", "-c", "user.email=t@t", "commit", "-qm", "more", cwd=stage.repo)


# Proof on a tree that is not the branch.


def test_verify_must_not_repair_what_it_verifies(stage: Stage) -> None:
    """A formatter in VERIFY makes its own tree green, and the branch still has the fault: the next
    child commits what it made."""
    stage.configure(VERIFY="echo formatted > a.py")
    again = "work(); git('commit', '-qam', 'format'); " + TO_DONE
    build(stage, "commit('a.py', 'rough\\n'); " + TO_DONE, DONE, again)
    ended = stage.begin("--yes")
    assert ended.code == 0, ended.out
    assert stage.outcomes == [*BUILT, "verify_failed", "continue", "done"]
    assert "it changed a.py" in stage.told(5)


def test_what_was_changed_before_verify_is_not_its_fault(stage: Stage) -> None:
    """A file that SETUP left changed stays as it was."""
    stage.configure(SETUP="echo x >> a.py", VERIFY="true")
    build(stage, "work(); " + TO_DONE)
    assert stage.begin("--yes").code == 0


@pytest.mark.parametrize("name", ["a.log", "out/x.bin"])
def test_work_that_git_ignores_is_named(stage: Stage, name: str) -> None:
    """Done without a commit: the last words name what no merge would bring."""
    (stage.repo / ".gitignore").write_text("*.log\nout/\n")
    commit_all(stage)
    make = f"Path('out').mkdir(); Path({name!r}).write_text('x'); "
    build(stage, make + TO_DONE)
    assert f"Not in any commit: {name.partition('x')[0]}" in stage.begin("--yes").out


# Identity and paths.


def part(stage: Stage, name: str) -> Stage:
    """Another project in the same repository, with the same SESSIONS."""
    other = Stage(stage.folder / f"config-{name}")
    (stage.repo / name).mkdir()
    (stage.repo / name / "x").touch()
    commit_all(stage)
    folders = {"SESSIONS": str(stage.folder / "sessions"), "WORKTREES": str(stage.folder / "w")}
    other.configure(MAIN_REPO=str(stage.repo / name), **folders)
    other.script(default=DONE)
    return other


def test_a_session_belongs_to_one_folder_of_the_repository(stage: Stage) -> None:
    """The backend's task is no note in the frontend's session, whether that runs or not."""
    frontend, backend = part(stage, "frontend"), part(stage, "backend")
    frontend.script("up(); time.sleep(60)")
    loop = frontend.start()
    frontend.up(1)
    for _ in range(2):
        refused = backend.begin()
        assert refused.code == 2 and "is a session of another folder (frontend" in refused.out
        loop.send(signal.SIGTERM).wait()
    assert len(speech.history(stage.session, "task")) == 1


def test_without_git_a_session_belongs_to_its_folder(tmp_path: Path) -> None:
    """Research in two folders, with one name for both."""
    stage = Stage(tmp_path / "project")
    stage.script(default=DONE)
    assert stage.begin().code == 0
    (stage.folder / "two").mkdir()
    stage.configure(MAIN_REPO="two")
    refused = stage.run("--task", "another")
    assert refused.code == 2 and "is a session of another folder" in refused.out


@pytest.mark.parametrize("how", ["git mv sub other", "git rm -qr sub"])
def test_work_that_removes_its_own_folder_is_recorded(stage: Stage, how: str) -> None:
    """Then the session is blocked, at this start and at the next, with what to do."""
    (stage.repo / "sub").mkdir()
    (stage.repo / "sub" / "x").touch()
    commit_all(stage)
    stage.configure(MAIN_REPO="repo/sub")
    move = f"os.chdir('..'); subprocess.run({how!r}, shell=True, check=True); "
    build(stage, move + "git('commit', '-qm', 'move'); signal()")
    ended = stage.begin("--yes")
    assert stage.outcomes == BUILT and ended.code == 3, ended.out
    again = stage.run()
    for run in (ended, again):
        assert run.code == 3 and "renamed or removed it" in run.out, run.out


# Wrong words, and an approval that lapsed for a tick.


@pytest.mark.parametrize("mark", ["- [ ]", "+ [ ]", "1. [ ]", "2) [ ]", "-  [ ]"])
def test_a_tick_in_any_list_keeps_the_approval(quick: Stage, mark: str) -> None:
    """Phases are ticked while they are built."""
    plan = f"# Plan\n\n{mark} build a\n"
    ticked = plan.replace("[ ]", "[x]")
    tick = f"write('plan.md', {ticked!r}); {TO_DONE}"
    quick.script(TO_PLANNING, f"plan({plan!r})", tick, DONE)
    loop = quick.start()
    speech.approve(quick.session_soon())
    ended = loop.wait()
    assert ended.code == 0 and "lapsed" not in ended.out, ended.out


def test_ctrl_c_in_a_wait_speaks_of_no_iteration(quick: Stage) -> None:
    """Nothing runs there: the words are true at any moment."""
    quick.script("ask('Which?')")
    loop = quick.start()
    quick.asked()
    ended = loop.send(signal.SIGINT).wait()
    assert ended.code == 130 and "after this iteration" not in ended.out


def test_the_status_before_the_summary_is_not_done(stage: Stage) -> None:
    """The phase `done` writes the summary: until then the session goes on."""
    stage.script(TO_PLANNING, "plan()", "work(); " + TO_DONE, default=DONE)
    assert stage.begin("--yes", "--max-iterations", "3").code == 5
    assert (
        "Phase:     done (the summary is still to come)" in stage.run("--max-iterations", "0").out
    )
