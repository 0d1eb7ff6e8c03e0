"""Failures that users of other tools of this kind reported, each with the right behaviour."""

from __future__ import annotations

import re
import signal
import subprocess
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
    git("commit", "-qm", "more", cwd=stage.repo)


# VERIFY of files that are not on the branch.


def test_verify_must_not_repair_what_it_verifies(stage: Stage) -> None:
    """If VERIFY changes a file (a formatter), it fails, since the branch lacks the change. The next
    child commits it."""
    stage.configure(VERIFY="echo formatted > a.py")
    again = "work(); git('commit', '-qam', 'format'); " + TO_DONE
    build(stage, "commit('a.py', 'rough\\n'); " + TO_DONE, DONE, again)
    ended = stage.begin("--yes")
    assert ended.code == 0, ended.out
    assert stage.outcomes == [*BUILT, "verify_failed", "continue", "done"]
    assert "it changed a.py" in stage.told(5)


def test_what_was_changed_before_verify_is_not_its_fault(stage: Stage) -> None:
    """A file that SETUP changed before does not make VERIFY fail."""
    stage.configure(SETUP="echo x >> a.py", VERIFY="true")
    build(stage, "work(); " + TO_DONE)
    assert stage.begin("--yes").code == 0


@pytest.mark.parametrize("name", ["a.log", "out/x.bin"])
def test_work_that_git_ignores_is_named(stage: Stage, name: str) -> None:
    """If nothing was committed at `done`, the text of the stop names the ignored files."""
    (stage.repo / ".gitignore").write_text("*.log\nout/\n")
    commit_all(stage)
    make = f"Path('out').mkdir(); Path({name!r}).write_text('x'); "
    build(stage, make + TO_DONE)
    assert f"Not in any commit: {name.partition('x')[0]}" in stage.begin("--yes").out


def in_shell(script: str) -> str:
    """A step that runs this script in the worktree."""
    return f"subprocess.run({script!r}, shell=True, check=True); "


def test_a_repository_in_the_worktree_is_no_work_on_the_branch(stage: Stage) -> None:
    """A generator may run `git init`. Git then commits a link to that repository instead of its
    files. `done` does not count until the child followed the remedy."""
    make = "mkdir web; cd web; git init -q; echo x > app.js; git add .; git commit -qm web; cd ..; "
    mend = "rm -rf web/.git; git rm -q --cached web; "
    add = "git add -A 2>&1; git commit -qm web"
    build(stage, in_shell(make + add) + TO_DONE, DONE, in_shell(mend + add) + DONE)
    assert stage.begin("--yes").code == 0
    assert stage.outcomes == [*BUILT, "bad_signal", "done"]
    assert "Remove web/.git, run git rm -q --cached web, add it again" in stage.told(5)
    assert git("show", f"{stage.branch}:web/app.js", cwd=stage.repo) == "x"


def test_work_in_a_submodule_is_named(stage: Stage) -> None:
    """At `done`, commits of a submodule that no remote has are named, with the push, and so are new
    files in it."""
    config = stage.folder / "gitconfig"
    config.write_text(config.read_text() + '[protocol "file"]\n\tallow = always\n')
    git("clone", "-q", "--bare", str(stage.repo), "inner.git", cwd=stage.folder)
    add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(*add, str(stage.folder / "inner.git"), "lib", cwd=stage.repo)
    commit_all(stage)
    stage.configure(SETUP="git submodule -q update --init")
    work = "cd lib; echo 1 > b.py; git add .; git commit -qm sub; cd ..; git commit -qam bump; "
    build(stage, in_shell(work + "touch lib/c.py") + TO_DONE)
    ended = stage.begin("--yes")
    assert ended.code == 0 and "Not in any commit: lib/\n" in ended.out, ended.out
    (push,) = re.findall(r"commits in lib\. Before you merge, run: (.*)", ended.out)
    subprocess.run(["/bin/sh", "-c", push], check=True, capture_output=True, env=stage.environ)
    assert git("show", f"{stage.branch}:b.py", cwd=stage.folder / "inner.git") == "1"


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
    """A task for one folder is refused if the session of that name belongs to another folder,
    whether it runs or not."""
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
    """Without git, too, a session of the same name in another folder is refused."""
    stage = Stage(tmp_path / "project")
    stage.script(default=DONE)
    assert stage.begin().code == 0
    (stage.folder / "two").mkdir()
    stage.configure(MAIN_REPO="two")
    refused = stage.run("--task", "another")
    assert refused.code == 2 and "is a session of another folder" in refused.out


def test_research_goes_on_after_git_init_and_after_a_move(tmp_path: Path) -> None:
    """A research session continues after a `git init` in its folder, and after a move of the
    project."""
    stage = Stage(tmp_path / "project")
    stage.script(default="work(); signal('blocked', reason='look')")
    assert stage.begin().code == 3
    git("init", "-q", cwd=stage.repo)
    assert stage.run().code == 3
    stage.folder = stage.folder.rename(tmp_path / "moved")
    assert stage.run().code == 3


@pytest.mark.parametrize("how", ["git mv sub other", "git rm -qr sub"])
def test_work_that_removes_its_own_folder_is_recorded(stage: Stage, how: str) -> None:
    """If a child removes or renames MAIN_REPO's folder, its iteration is recorded, and each start
    is blocked with the remedy."""
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


# The user's settings and editors.

BENT = """[color]
	ui = always
	status = always
[status]
	showUntrackedFiles = no
	relativePaths = true
	short = true
	branch = true
[core]
	quotePath = true
	pager = false
[diff]
	noprefix = true
	external = false
[log]
	showSignature = true
	decorate = full
[advice]
	detachedHead = true
"""


def test_no_git_setting_bends_what_the_loop_reads(stage: Stage) -> None:
    """Git settings of the user, such as colours and hidden untracked files, do not change the
    loop's decisions."""
    config = stage.folder / "gitconfig"
    config.write_text(config.read_text() + BENT)
    build(stage, "commit('a.py', 'two\\n'); Path('left ü').touch(); " + TO_DONE)
    ended = stage.begin("--yes")
    assert ended.code == 0, ended.out
    assert "Not in any commit: left ü" in ended.out and "\x1b" not in ended.out
    assert f"merge {stage.branch}" in ended.out and "change a.py" in ended.out
