"""A start that git refuses leaves nothing behind, and the next start works."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.outer.speech import wait_for
from tests.outer.stage import DONE, Stage, git


def filtered(stage: Stage, **program: str) -> None:
    """Commit a file that goes through a filter, which every checkout needs from now on."""
    (stage.repo / ".gitattributes").write_text("*.bin filter=big\n")
    (stage.repo / "f.bin").write_text("data\n")
    git("config", "filter.big.clean", "cat", cwd=stage.repo)
    git("config", "filter.big.required", "true", cwd=stage.repo)
    git("add", ".", cwd=stage.repo)
    git("commit", "-qm", "big", cwd=stage.repo)
    for key, value in program.items():
        git("config", f"filter.big.{key}", value, cwd=stage.repo)


def lfs(stage: Stage) -> list[str]:
    filtered(stage, process="git-lfs filter-process")
    return ["git-lfs: not found", "fatal: "]


def stale_lock(stage: Stage) -> list[str]:
    """The lock of a killed git on the branch of today's session, and on tomorrow's (midnight)."""
    folder = stage.repo / ".git/refs/heads/samocode"
    folder.mkdir()
    for days in (0, 1):
        day = datetime.now().astimezone() + timedelta(days)
        (folder / f"{day:%y-%m-%d}-work.lock").touch()
    return [f"Unable to create '{folder}/", "remove the file manually to continue"]


def killed(stage: Stage) -> list[str]:
    """git is killed while it checks out the worktree, so it does not clean up."""
    filtered(stage, smudge="kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); false")
    return ["git worktree add failed"]


def branch(stage: Stage) -> list[str]:
    git("branch", "samocode", cwd=stage.repo)
    return [f"git -C {stage.repo} branch -m samocode"]


def no_commit(stage: Stage) -> list[str]:
    git("update-ref", "-d", "HEAD", cwd=stage.repo)
    return ["has no commit yet. Run: "]


@pytest.mark.parametrize("trouble", [lfs, killed, stale_lock, branch, no_commit])
def test_a_start_that_git_refuses(stage: Stage, trouble: Callable[[Stage], list[str]]) -> None:
    """The exit code is 2, the message has git's output, and nothing of the session remains."""
    words = trouble(stage)
    ended = stage.begin()
    assert ended.code == 2 and [w for w in words if w not in ended.out] == [], ended.out
    assert stage.made == []


def test_a_session_on_record_outlives_a_refused_start(stage: Stage) -> None:
    """A refused start of an existing session removes only what this start created."""
    stage.script("signal()", DONE)
    assert stage.begin("--max-iterations", "1").code == 5
    git("worktree", "remove", str(stage.worktree), cwd=stage.repo)
    lfs(stage)
    git("update-ref", f"refs/heads/{stage.branch}", "main", cwd=stage.repo)
    assert stage.run().code == 2 and stage.outcomes == ["continue"]
    git("config", "--unset", "filter.big.process", cwd=stage.repo)
    git("config", "filter.big.smudge", "cat", cwd=stage.repo)
    assert stage.run().code == 0


def test_killed_while_git_makes_the_worktree(stage: Stage) -> None:
    """After a kill during `git worktree add`, the next start completes the worktree."""
    filtered(stage, smudge=f"touch {stage.folder}/up; sleep 2; cat")
    stage.script(DONE)
    loop = stage.start()
    wait_for((stage.folder / "up").exists)
    assert loop.send(signal.SIGKILL).wait().code == -signal.SIGKILL
    assert stage.run().code == 0 and (stage.worktree / "f.bin").read_text() == "data\n"


def test_git_cannot_list_the_branches(stage: Stage) -> None:
    """A crash left another worktree's file empty, and most of git still works. Without the list the
    session once began from a wrong branch."""
    git("worktree", "add", "-qb", "other", "../other", cwd=stage.repo)
    (stage.repo / ".git/worktrees/other/commondir").write_text("")
    ended = stage.begin()
    assert ended.code == 2 and "cannot list the branches" in ended.out, ended.out
    assert not (stage.folder / "sessions").exists()
