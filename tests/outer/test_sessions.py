"""Whole sessions, through main.py."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.outer import speech
from tests.outer.speech import wait_for
from tests.outer.stage import DONE, EXIT, MAIN, TO_DONE, TO_PLANNING, WORK, Stage, git


def checkout(repo: Path) -> tuple[str, ...]:
    """The state of the user's checkout: HEAD, branch, status, stash, a file."""
    looks = ("rev-parse HEAD", "branch --show-current", "status --porcelain", "stash list")
    return (*(git(*look.split(), cwd=repo) for look in looks), (repo / "a.py").read_text())


def test_from_task_to_merge_through_both_gates(stage: Stage) -> None:
    """A session goes through questions, plan, commits and done, with exit code 0. The user's
    checkout does not change until they run the printed merge."""
    stage.script(
        "write('dive.md'); signal(phase='requirements')",
        "ask('Which?', 'Where?')",
        "work(); signal(phase='planning')",
        "plan()",
        "commit('a.py', 'two\\n'); signal(phase='testing')",
        "write('test.md'); signal(phase='quality')",
        "write('review.md'); signal(phase='done')",
        DONE,
    )
    before = checkout(stage.repo)
    loop = stage.start("--dive", "the code")
    stage.asked(2)
    speech.answer(stage.session, 1, "B, because")
    speech.answer(stage.session, 2, "here")
    speech.approve(stage.session)
    ended = loop.wait()
    assert ended.code == 0 and "It works." in ended.out and str(MAIN) not in ended.out
    assert [text for _, text, _ in speech.answers(stage.session)] == ["B, because", "here", "yes"]
    assert "B, because" in stage.told(3) and "here" in stage.told(3)
    assert "build it" in stage.told(1) and "the code" in stage.told(1)
    phases = [line["phase"] for line in speech.iterations(stage.session)]
    assert phases[4:] == ["implementation", "testing", "quality", "done"]
    assert checkout(stage.repo) == before
    assert git("log", "--format=%s", f"main..{stage.branch}", cwd=stage.repo) == "change a.py"
    (merge,) = re.findall(rf"git .*merge \S*{stage.branch}\S*", ended.out)
    subprocess.run(["/bin/sh", "-c", merge], cwd="/", check=True, capture_output=True)
    assert (stage.repo / "a.py").read_text() == "two\n"
    again = stage.run()
    assert again.code == 0 and "It works." in again.out and stage.children == 8


@pytest.mark.parametrize("with_git", [True, False])
def test_a_dive_alone_is_research(tmp_path: Path, with_git: bool) -> None:
    """A dive without a task ends with done in investigation, with or without git. It commits
    nothing."""
    stage = Stage(tmp_path / "project")
    if with_git:
        stage.with_git()
    stage.script("write('dive.md'); " + DONE)
    ended = stage.run("--dive", "what is here")
    assert ended.code == 0 and (stage.session / "dive.md").exists()
    if with_git:
        assert git("log", "--format=%s", "--all", cwd=stage.repo) == "Start"
    else:
        assert stage.child(1)["cwd"] == str(stage.repo) and not (stage.repo / ".git").exists()
    stage.close()


def test_yes_goes_from_end_to_end(stage: Stage) -> None:
    """--yes answers with the suggestions and approves the plan. Both are recorded as by --yes."""
    build = "commit('a.py', 'two\\n'); " + TO_DONE
    stage.script("ask('Which?', suggested='B', phase='planning')", "plan()", build, DONE)
    assert stage.begin("--yes").code == 0
    assert {by for _, _, by in speech.answers(stage.session)} == {"yes"}
    assert speech.answers(stage.session)[0][1].startswith("B")
    assert git("show", f"{stage.branch}:a.py", cwd=stage.repo) == "two"


def test_setup_runs_once_in_a_new_worktree(stage: Stage) -> None:
    """SETUP runs in the worktree before the first child, and not again at the next start."""
    stage.configure(SETUP="pwd >> ../../ran")
    stage.script(WORK, DONE)
    assert stage.begin("--max-iterations", "1").code == 5
    assert stage.run().code == 0
    assert (stage.folder / "ran").read_text() == f"{stage.worktree}\n"


def test_setup_runs_again_in_a_worktree_that_is_made_again(stage: Stage) -> None:
    """Whoever removed it: a child, here before `done`, or somebody between two runs."""
    stage.configure(SETUP="echo x >> ../../ran; echo x >> a.py", VERIFY="grep -q x a.py")
    gone = "import shutil; shutil.rmtree(os.getcwd()); "
    stage.script(gone + WORK, TO_PLANNING, "plan()", TO_DONE, gone + DONE)
    assert stage.begin("--yes").code == 0
    assert (stage.folder / "ran").read_text() == "x\n" * 3


def test_a_stop_during_a_later_setup(stage: Stage) -> None:
    """No child is started in a worktree whose SETUP was interrupted. The next start runs it."""
    stage.configure(SETUP="[ ! -e ../../once ] || { touch ../../up; sleep 600; }; touch ../../once")
    stage.script("import shutil; shutil.rmtree(os.getcwd()); " + WORK, DONE)
    loop = stage.start()
    wait_for((stage.folder / "up").exists)
    loop.send(signal.SIGINT)
    assert loop.wait().code == 130 and stage.children == 1
    (stage.folder / "once").unlink()
    assert stage.run().code == 0 and stage.outcomes == ["continue", "done"]


@pytest.mark.parametrize("first", ["none", "interrupted"])
def test_what_a_later_setup_changes_does_not_prevent_done(stage: Stage, first: str) -> None:
    """SETUP was interrupted, or set after the first run. Its changes are not the session's."""
    setup = "echo x >> a.py; [ -e ../../go ] || { touch ../../up; sleep 600; }"
    stage.script(WORK, DONE)
    if first == "none":
        assert stage.begin("--max-iterations", "1").code == 5
        stage.configure(SETUP=setup)
    else:
        stage.configure(SETUP=setup)
        loop = stage.start()
        wait_for((stage.folder / "up").exists)
        loop.send(signal.SIGINT)
        assert loop.wait().code == 130
    (stage.folder / "go").touch()
    assert stage.run().code == 0 and set(stage.outcomes) <= {"continue", "done"}


@pytest.mark.parametrize("move", ["", "git('switch', '-qc', 'mine'); "])
def test_code_is_verified_after_the_approval_has_lapsed(stage: Stage, move: str) -> None:
    """VERIFY, and the session's branch, hold for every `done` with commits."""
    stage.configure(VERIFY="false")
    back = f"{move}commit('a.py', 'x\\n'); signal(phase='requirements')"
    stage.script(TO_PLANNING, "plan()", back, DONE, "signal('blocked', reason='x')")
    assert stage.begin("--yes").code == 3
    assert stage.outcomes[3:] == ["bad_signal" if move else "verify_failed", "blocked"]


def test_a_copy_of_the_project_file_in_a_worktree_is_refused(stage: Stage) -> None:
    """A committed .samocode is in each worktree, too, where its paths lead elsewhere."""
    stage.script(WORK)
    stage.begin()
    copy = stage.worktree / ".samocode"
    copy.write_text("MAIN_REPO=.\nWORKTREES=../w\nSESSIONS=../s\n")
    for more in (["--status"], ["--task", "a note"]):
        ended = stage.run("--config", str(copy), *more)
        assert ended.code == 2 and f"Run this in {stage.repo}, or" in ended.out
    assert stage.children == 2


def test_a_failing_setup_blocks_and_is_tried_again(stage: Stage) -> None:
    """If SETUP fails, its output is shown and no child is started. The next start runs it again."""
    stage.configure(SETUP="echo no such thing; false")
    stage.script(DONE)
    ended = stage.begin()
    assert ended.code == 3 and "no such thing" in ended.out and stage.children == 0
    stage.configure(SETUP="true")
    assert stage.run().code == 0


def test_verify_decides_whether_done_is_done(stage: Stage) -> None:
    """If VERIFY fails at done, the session returns to implementation, with VERIFY's output. Done
    counts once VERIFY passes."""
    stage.configure(VERIFY="grep -q good a.py || { echo nothing good; false; }")
    better = "commit('a.py', 'good\\n'); " + TO_DONE
    stage.script(TO_PLANNING, "plan()", TO_DONE, DONE, better, DONE)
    assert stage.begin("--yes").code == 0
    lines = speech.iterations(stage.session)
    assert [line["phase"] for line in lines][3:] == ["done", "implementation", "done"]
    assert "nothing good" in stage.told(5)
    assert [line["outcome"] for line in lines].count("done") == 1


def test_a_note_to_a_stopped_session_reaches_the_next_child(stage: Stage) -> None:
    """--task on an unfinished session adds a note to its task. The session is not restarted."""
    stage.script("signal('blocked', reason='which colour?')", DONE)
    blocked = stage.begin()
    assert blocked.code == 3 and "which colour?" in blocked.out
    assert stage.run("--task", "paint it blue").code == 0
    for words in ("build it", "paint it blue", "The human added a note: read the end of _task.md."):
        assert words in stage.told(2)
    assert [line["phase"] for line in speech.iterations(stage.session)] == ["investigation"] * 2


def test_a_new_task_after_done_opens_a_round(stage: Stage) -> None:
    """A new round begins in investigation, and needs a new approval. The old task does not open a
    round."""
    stage.script(TO_PLANNING, "plan()", TO_DONE, DONE, TO_PLANNING, "plan('# New\\n')")
    assert stage.begin("--yes").code == 0
    assert stage.begin().code == 0 and stage.children == 4
    assert stage.run("--task", "and now this", *EXIT).code == 4
    assert "and now this" in stage.told(5) and "opened a new round: read the end" in stage.told(5)
    assert [line["phase"] for line in speech.iterations(stage.session)][4] == "investigation"
    assert list(speech.open_questions(stage.session).values()) == ["approval"]


def test_the_worktree_comes_back(stage: Stage) -> None:
    """A worktree that was removed between two runs is made again, with its commits."""
    stage.script(TO_PLANNING, "plan()", "commit('a.py', 'two\\n'); signal()", TO_DONE, DONE)
    assert stage.begin("--yes", "--max-iterations", "3").code == 5
    git("worktree", "remove", "--force", str(stage.worktree), cwd=stage.repo)
    assert stage.run().code == 0 and (stage.worktree / "a.py").read_text() == "two\n"


@pytest.mark.parametrize("how", ["with the project", "by git"])
def test_a_worktree_that_was_moved_is_not_made_again(stage: Stage, how: str) -> None:
    """A new one would lack the uncommitted work. The printed command moves it back."""
    stage.script("signal('blocked', reason='look')", WORK)
    assert stage.begin().code == 3
    old, elsewhere = stage.worktree, stage.folder / "elsewhere"
    (old / "a.py").write_text("uncommitted\n")
    if how == "by git":
        git("worktree", "move", str(old), str(elsewhere), cwd=stage.repo)
    else:
        elsewhere.mkdir()
        for name in ("repo", "worktrees"):
            (stage.folder / name).rename(elsewhere / name)
        stage.configure(MAIN_REPO="elsewhere/repo", WORKTREES="elsewhere/worktrees")
    refused = stage.run()
    assert refused.code == 2 and not old.exists(), refused.out
    (back,) = re.findall(r"(?:back|go on): (.*)", refused.out)
    subprocess.run(["/bin/sh", "-c", back], check=True, capture_output=True)
    assert stage.run("--max-iterations", "1").code == 5
    assert (old / "a.py").read_text() == "uncommitted\n"


def test_a_branch_that_is_gone_comes_back_at_its_last_commit(stage: Stage) -> None:
    """A session with commits never starts again from the base. In a clone that lacks its last
    commit, the start is blocked, and the printed command fetches it."""
    stage.script(TO_PLANNING, "plan()", "commit('a.py', 'two\\n'); signal()", "signal()", DONE)
    assert stage.begin("--yes", "--max-iterations", "3").code == 5
    git("clone", "-q", "--bare", str(stage.repo), "shared", cwd=stage.folder)
    git("worktree", "remove", "--force", str(stage.worktree), cwd=stage.repo)
    git("branch", "-D", stage.branch, cwd=stage.repo)
    assert stage.run("--max-iterations", "1").code == 5
    assert (stage.worktree / "a.py").read_text() == "two\n"
    shutil.rmtree(stage.worktree)
    shutil.rmtree(stage.repo)
    git("clone", "-q", "--single-branch", "-b", "main", "file://" + str(stage.folder / "shared"),
        "repo", cwd=stage.folder)  # fmt: skip
    git("branch", stage.branch, cwd=stage.repo)  # without the last commits
    blocked = stage.run()
    assert blocked.code == 3 and "The last commit" in blocked.out, blocked.out
    (fetch,) = re.findall(r"git -C \S+ fetch .*", blocked.out)
    subprocess.run(["/bin/sh", "-c", fetch], check=True, capture_output=True)
    assert stage.run("--max-iterations", "1").code == 5
    assert (stage.worktree / "a.py").read_text() == "two\n"
