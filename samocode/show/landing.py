"""What a session's branch has, and the commands with which a person lands it."""

from __future__ import annotations

import shlex
from shutil import which

from samocode.git.branches import REMOTE, Branches
from samocode.git.command import typed
from samocode.git.repository import Repository
from samocode.record.state import Worktree


def story(repository: Repository, worktree: Worktree) -> tuple[str, str]:
    """Return the commits since the base and `diff --stat`, as git prints them. If the base branch
    no longer exists, the recorded base commit is used."""
    branches = Branches.read(repository)
    base = branches.commit(worktree.base) or worktree.commit or "HEAD"
    branch = branches.full(worktree.branch)
    commits = repository.call("log", "--oneline", "--no-decorate", f"{base}..{branch}") or ""
    stat = repository.call("diff", "--stat", f"{base}...{branch}") or ""
    return commits.rstrip(), stat.rstrip()


def merge(repository: Repository, worktree: Worktree) -> str:
    """Return the command that merges the session's branch: where the base is checked out, else in
    MAIN_REPO after a switch to the base (if that is a branch)."""
    branches = Branches.read(repository)
    base, top = branches.short(worktree.base), typed(repository.top)
    merging = f"merge {shlex.quote(worktree.branch)}"
    here = repository.current() == base
    if not here and (elsewhere := branches.holder(base)):
        return f"{typed(elsewhere)} {merging}"
    if branches.full(worktree.base) == worktree.base:  # not a branch
        return f"{top} {merging}"
    to = ["--track"] * (not branches.has(base)) + [base if branches.has(base) else worktree.base]
    return f"{top} switch {shlex.join(to)} && {top} {merging}"


def pull_request(
    repository: Repository, worktree: Worktree, title: str, body: str
) -> str | None:  # fmt: skip
    """Return the command that pushes the session's branch and makes a pull request of it with gh,
    for a person to run. None without a remote or gh."""
    remotes = (repository.call("remote") or "").split()
    if not remotes or which("gh", path=repository.environ.get("PATH", "")) is None:
        return None
    remote = "origin" if "origin" in remotes else remotes[0]
    branches = Branches.read(repository)
    base = branches.short(worktree.base)
    known = base != worktree.base or f"{REMOTE}{remote}/{base}" in branches.commits
    # without a known base, gh takes the default branch
    push = ["git", "push", "-u", remote, worktree.branch]
    create = ["gh", "pr", "create", "--head", worktree.branch, *(["--base", base] if known else [])]
    create += ["--title", title, "--body", body]
    place = shlex.quote(str(repository.top))
    return f"(cd {place} && {shlex.join(push)} && {shlex.join(create)})"
