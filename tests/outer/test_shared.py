"""The user's repository: a refused start leaves nothing in it, and a run says what it changed."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.outer.speech import wait_for
from tests.outer.stage import DONE, TO_DONE, Stage, git

MEANWHILE = "changed meanwhile: "


def left(stage: Stage) -> list[Path]:
    """What a start made, locks aside."""
    folders = (stage.folder / "sessions", stage.folder / "worktrees")
    return [p for folder in folders for p in folder.glob("*") if p.name != ".locks"]


def filtered(stage: Stage, **program: str) -> None:
    """Commit a file that goes through a filter, which every checkout needs from now on."""
    (stage.repo / ".gitattributes").write_text("*.bin filter=big\n")
    (stage.repo / "f.bin").write_text("data\n")
    git("config", "filter.big.clean", "cat", cwd=stage.repo)
    git("config", "filter.big.required", "true", cwd=stage.repo)
    git("add", ".", cwd=stage.repo)
    git("-c", "user.name=T", "-c", "user.email=t@t", "commit", "-qm", "big", cwd=stage.repo)
    for key, value in program.items():
        git("config", f"filter.big.{key}", value, cwd=stage.repo)


def lfs(stage: Stage) -> list[str]:
    filtered(stage, process="git-lfs filter-process")
    return ["git-lfs: not found", "fatal: "]


def crypt(stage: Stage) -> list[str]:
    filtered(stage, smudge="git-crypt smudge")
    return ["git-crypt: not found", "f.bin: smudge filter big failed"]


def stale_lock(stage: Stage) -> list[str]:
    """A killed git was making this branch; today, or it is midnight."""
    folder = stage.repo / ".git/refs/heads/samocode"
    folder.mkdir()
    for days in (0, 1):
        day = datetime.now().astimezone() + timedelta(days)
        (folder / f"{day:%y-%m-%d}-work.lock").touch()
    return [f"Unable to create '{folder}/", "remove the file manually to continue"]


def killed(stage: Stage) -> list[str]:
    """git itself is killed while it fills the worktree, and tidies nothing up."""
    filtered(stage, smudge="kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); false")
    return ["git worktree add failed"]


def branch(stage: Stage) -> list[str]:
    git("branch", "samocode", cwd=stage.repo)
    return [f"git -C {stage.repo} branch -m samocode"]


@pytest.mark.parametrize("trouble", [lfs, crypt, killed, stale_lock, branch])
def test_a_start_that_git_refuses(stage: Stage, trouble: Callable[[Stage], list[str]]) -> None:
    """Exit code 2, all that git said, and nothing of the session stays."""
    words = trouble(stage)
    ended = stage.begin()
    assert ended.code == 2 and [w for w in words if w not in ended.out] == [], ended.out
    assert left(stage) == [] and git("branch", "--list", "samocode/*", cwd=stage.repo) == ""
    assert git("worktree", "list", cwd=stage.repo).count("\n") == 0


def test_the_remedy_is_enough(stage: Stage) -> None:
    """With the filter's program there, the same command begins the session."""
    lfs(stage)
    stage.script(DONE)
    assert stage.begin().code == 2
    git("config", "--unset", "filter.big.process", cwd=stage.repo)
    git("config", "filter.big.smudge", "cat", cwd=stage.repo)
    assert stage.begin().code == 0 and stage.outcomes == ["done"]


def test_a_session_on_record_outlives_a_refused_start(stage: Stage) -> None:
    """Only what the start itself made goes."""
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
    """The next start goes on with what is there."""
    filtered(stage, smudge=f"touch {stage.folder}/up; sleep 2; cat")
    stage.script(DONE)
    loop = stage.start()
    wait_for((stage.folder / "up").exists)
    assert loop.send(signal.SIGKILL).wait().code == -signal.SIGKILL
    assert stage.run().code == 0 and (stage.worktree / "f.bin").read_text() == "data\n"


def test_a_base_of_a_remote(stage: Stage) -> None:
    """BASE_BRANCH takes origin/main, and the printed merge goes into main."""
    tip = git("rev-parse", "HEAD", cwd=stage.repo)
    git("update-ref", "refs/remotes/origin/main", tip, cwd=stage.repo)
    git("update-ref", "refs/remotes/up/main", tip, cwd=stage.repo)
    for base in ("origin/main", "up/main"):
        stage.name = base.partition("/")[0]
        stage.configure(BASE_BRANCH=base)
        build = f"commit('{stage.name}', 'x'); " + TO_DONE
        stage.script("signal(phase='planning')", "plan()", build, DONE)
        ended = stage.begin("--yes")
        merge = next(line for line in ended.out.splitlines() if line.startswith("Merge:"))
        subprocess.run(["sh", "-c", merge.removeprefix("Merge:")], check=True, capture_output=True)
        assert ended.code == 0 and (stage.repo / stage.name).exists()


def test_what_a_child_changed_for_others_is_said(stage: Stage) -> None:
    """At the stop, by name."""
    git("branch", "keep", cwd=stage.repo)
    hook = "Path(git('rev-parse', '--git-common-dir').strip(), 'hooks/pre-commit').write_text('x')"
    stage.script(
        "git('config', 'user.email', 'x@example.invalid'); git('tag', 'v1'); "
        f"git('update-ref', '-d', 'refs/heads/keep'); {hook}; signal()",
        DONE,
    )
    (stage.repo / ".git/hooks").mkdir(exist_ok=True)
    ended = stage.begin()
    names = "user.email, tag v1, hooks/pre-commit, branch keep"
    assert ended.code == 0 and f"{stage.repo} {MEANWHILE}{names}\n" in ended.out
    assert MEANWHILE not in stage.run("--task", "again", "--max-iterations", "1").out


def test_a_hook_that_setup_installs_is_said_at_once(stage: Stage) -> None:
    """pre-commit writes the worktree's python into the hook of the user's own checkout."""
    (stage.repo / ".git/hooks").mkdir(exist_ok=True)
    stage.configure(SETUP="echo $PWD/python > $(git rev-parse --git-common-dir)/hooks/pre-commit")
    stage.script(DONE)
    ended = stage.begin()
    said, _, rest = ended.out.partition("hooks/pre-commit, which your own checkout uses too")
    assert ended.code == 0 and "SETUP changed" in said and "iteration" in rest


def test_what_differs_in_a_worktree_is_said_at_the_start(stage: Stage) -> None:
    """Submodules, and hooks in a folder that no commit has; silence where SETUP makes it."""
    git("config", "core.hooksPath", ".husky/_", cwd=stage.repo)
    (stage.repo / ".husky/_").mkdir(parents=True)
    (stage.repo / ".gitmodules").touch()
    git("add", ".", cwd=stage.repo)
    git("-c", "user.name=T", "-c", "user.email=t@t", "commit", "-qm", "lib", cwd=stage.repo)
    stage.script(default=DONE)
    ended = stage.begin()
    assert "core.hooksPath is .husky/_" in ended.out and "submodules" in ended.out
    stage.name = "other"
    stage.configure(SETUP="mkdir -p .husky/_")
    assert "core.hooksPath" not in stage.begin().out


def test_a_night_of_sessions_side_by_side(stage: Stage) -> None:
    """Each has its own branch, worktree and SETUP; the user works, fetches and tidies up. No
    session says that anything changed."""
    git("clone", "-q", "--bare", str(stage.repo), f"{stage.folder}/origin.git", cwd=stage.folder)
    git("remote", "add", "origin", f"{stage.folder}/origin.git", cwd=stage.repo)
    night = [Stage(stage.folder / f"s{n}", name=f"s{n}") for n in range(3)]
    build = "commit('b.py', str(NUMBER)); up(); time.sleep(1); "
    for one in night:
        one.configure(MAIN_REPO=str(stage.repo), SETUP="git config branch.main.rebase true")
        one.script("signal(phase='planning')", "plan()", build + TO_DONE, DONE)
    loops = [one.start("--yes") for one in night]
    for one in night:
        one.up(3)
    work = "git switch -qc mine; echo x > a.py; git commit -qam mine; git switch -q main; "
    work += "git push -q -u origin main; git fetch -q; git gc -q; git stash; git pack-refs --all"
    subprocess.run(["sh", "-ec", work], cwd=stage.repo, env=stage.environ, check=True)
    for one, loop in zip(night, loops, strict=True):
        ended = loop.wait()
        assert ended.code == 0 and MEANWHILE not in ended.out, ended.out
        one.close()
