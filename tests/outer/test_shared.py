"""The repository that a session shares with its user: the changes that a run reports, and the
command for a pull request."""

from __future__ import annotations

import subprocess

from tests.outer.stage import DONE, TO_DONE, Stage, executable, git

MEANWHILE = "changed meanwhile: "


def test_what_a_child_changed_for_others_is_said(stage: Stage) -> None:
    """The text of the stop names what a child changed outside of its branch."""
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
    assert ended.code == 0 and f"{stage.repo} these {MEANWHILE}{names}\n" in ended.out
    assert MEANWHILE not in stage.run("--task", "again", "--max-iterations", "1").out


def test_a_hook_that_setup_installs_is_said_at_once(stage: Stage) -> None:
    """If SETUP installs a git hook, a message says that the user's checkout has it, too. pre-commit
    writes the worktree's python into it."""
    (stage.repo / ".git/hooks").mkdir(exist_ok=True)
    stage.configure(SETUP="echo $PWD/python > $(git rev-parse --git-common-dir)/hooks/pre-commit")
    stage.script(DONE)
    ended = stage.begin()
    said, _, rest = ended.out.partition("hooks/pre-commit, which your own checkout uses too")
    assert ended.code == 0 and "SETUP changed" in said and "iteration" in rest


def test_what_differs_in_a_worktree_is_said_at_the_start(stage: Stage) -> None:
    """The start warns of submodules, and of a core.hooksPath that the worktree lacks, unless SETUP
    creates it."""
    git("config", "core.hooksPath", ".husky/_", cwd=stage.repo)
    (stage.repo / ".husky/_").mkdir(parents=True)
    (stage.repo / ".gitmodules").touch()
    git("add", ".", cwd=stage.repo)
    git("commit", "-qm", "lib", cwd=stage.repo)
    stage.script(default=DONE)
    ended = stage.begin()
    assert "core.hooksPath is .husky/_" in ended.out and "submodules" in ended.out
    stage.name = "other"
    stage.configure(SETUP="mkdir -p .husky/_")
    assert "core.hooksPath" not in stage.begin().out


def test_done_prints_one_line_that_makes_a_pull_request(stage: Stage) -> None:
    """With gh on PATH and a remote, `done` prints the command and does not run it. It is safe in a
    shell, whatever the summary contains."""
    summary = "It's done;\n\n$(touch pwned) `x` \x1b[31m!! done"
    steps = ("signal(phase='planning')", "plan()", "commit('b.py', 'x'); " + TO_DONE)
    stage.script(*steps, default=f"signal('done', summary={summary!r})")
    remote, tools = stage.folder / "remote.git", stage.folder / "tools"
    executable(tools / "gh", '#!/bin/sh\nprintf "%s\\n" "$@" >"$0.called"\n')
    stage.extra["PATH"] = f"{tools}:{stage.environ['PATH']}"
    ended = stage.begin("--yes")
    assert ended.code == 0 and "gh pr create" not in ended.out
    git("init", "-q", "--bare", str(remote), cwd=stage.repo)
    git("remote", "add", "origin", str(remote), cwd=stage.repo)
    git("push", "-q", "origin", "main", cwd=stage.repo)
    ended = stage.run("--task", "again")
    (line,) = [line for line in ended.out.splitlines() if line.startswith("Or:")]
    assert not (tools / "gh.called").exists()
    command, cwd = ["sh", "-c", line.removeprefix("Or:")], stage.folder
    subprocess.run(command, check=True, capture_output=True, env=stage.environ, cwd=cwd)
    given = (tools / "gh.called").read_text().splitlines()
    head, base = ["--head", stage.branch], ["--base", "main"]
    told = ["--title", "again", "--body", "It's done; $(touch pwned) `x` ?[31m!! done"]
    assert given == ["pr", "create", *head, *base, *told]
    assert git("rev-parse", stage.branch, cwd=remote) == git(
        "rev-parse", "HEAD", cwd=stage.worktree
    )
    assert not list(stage.folder.rglob("pwned"))
