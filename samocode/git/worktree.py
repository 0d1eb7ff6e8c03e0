"""A session's own branch and worktree: the one thing that the loop makes in a repository."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from samocode.git import gitdir
from samocode.git.branches import REMOTE, Branches
from samocode.git.command import TIMEOUT, typed
from samocode.git.repository import Repository
from samocode.record import files
from samocode.record.exits import UserError
from samocode.record.state import Worktree

HALF_MADE = ("failed to read", "not a git repository", ".lock", "File exists")
WAITS = (0.1, 0.3, 1.0, 3.0)  # seconds before the tries after the first


def ensure(repository: Repository, worktree: Worktree) -> str | None:
    """Make the worktree usable; None when it was, else what was done. UserError when something is
    in the way."""
    at = worktree.path.resolve()
    if _is_made(repository, at) and at.is_dir():
        return None
    if at.exists():
        raise UserError(
            f"{at} is there and is no worktree of {repository.top}: move it away and run again."
        )
    branches = Branches.read(repository)
    if (taken := branches.holders.get(worktree.branch)) and taken.is_dir():
        raise UserError(
            f"Branch {worktree.branch} is checked out in {taken}: switch that to another branch."
        )
    add = ("worktree", "add", "-f", str(at), worktree.branch)
    if branches.has(worktree.branch):
        _call(repository, *add)
        return f"worktree {at} made again from branch {worktree.branch}"
    _call(repository, "branch", "--no-track", worktree.branch, branches.full(worktree.base))
    try:
        _call(repository, *add)
    except UserError:  # a filter without its program, a full disk: nothing stays half made
        repository.call("worktree", "remove", "-f", "-f", str(at))
        repository.call("branch", "-q", "-D", worktree.branch)
        raise
    return f"worktree {at} on new branch {worktree.branch}, from {worktree.base}"


def check_free(branches: Branches, worktree: Worktree) -> None:
    """UserError when a new session's path or branch is somebody else's already."""
    repository = branches.repository
    if branches.has("samocode"):  # git keeps a branch as a file, and this one as a folder
        raise UserError(
            f"A branch named samocode leaves no room for {worktree.branch}. Rename it: "
            f"{typed(repository.top)} branch -m samocode other-name"
        )
    if branches.has(worktree.branch):
        raise UserError(
            f"Branch {worktree.branch} exists already: choose another --session name, or remove "
            f"it with the commits on it: {_remove(branches, worktree.branch)}"
        )
    if worktree.path.exists() or worktree.path.resolve() in branches.holders.values():
        raise UserError(
            f"{worktree.path} is taken already: choose another --session name, or move it away."
        )


def merge(repository: Repository, worktree: Worktree) -> str:
    """The command that merges a session's branch into its base, wherever that is checked out; into
    what MAIN_REPO has when the base is no branch (any more)."""
    branches = Branches.read(repository)
    base, full, top = worktree.base, branches.full(worktree.base), typed(repository.top)
    if full.startswith(REMOTE):
        base = base.partition("/")[2]
    merging = f"merge {shlex.quote(worktree.branch)}"
    here = repository.current() == base
    elsewhere = branches.holders.get(base)
    if not here and elsewhere and elsewhere.is_dir():
        return f"{typed(elsewhere)} {merging}"
    is_branch = full != worktree.base
    return (f"{top} switch {shlex.quote(base)} && " if is_branch else "") + f"{top} {merging}"


def _remove(branches: Branches, branch: str) -> str:
    """The command that removes a branch and its worktree, which may be gone already."""
    git, at = typed(branches.repository.top), branches.holders.get(branch)
    worktree = f"remove {shlex.quote(str(at))}" if at and at.is_dir() else "prune"
    return f"{git} worktree {worktree} && {git} branch -D {shlex.quote(branch)}"


def _call(repository: Repository, *args: str) -> None:
    """One git command, tried again where it met another worktree half made. UserError with all that
    git said: the file to remove, the filter that is missing."""
    tries = iter(WAITS)
    while True:
        answer = repository.run(*args)
        if answer.returncode == 0:
            return
        said = answer.stderr.strip() or "it did not say why"
        wait = next(tries, None) if any(word in said for word in HALF_MADE) else None
        if wait is None:
            command = " ".join(args[:2]) if args[0] == "worktree" else args[0]
            raise UserError(f"git {command} failed in {repository.top}:\n{said}")
        time.sleep(wait)


def _is_made(repository: Repository, at: Path) -> bool:
    """Whether git knows a worktree at this path, once it has finished it: a loop killed in `git
    worktree add` leaves git at work, or cleaning up."""
    for _ in range(TIMEOUT):
        own = gitdir.known(repository.common, at)
        if own is None or b"initializing" not in files.read_any(own / "locked"):
            return own is not None
        time.sleep(1)
    remove = f"{typed(repository.top)} worktree remove -f -f {shlex.quote(str(at))}"
    raise UserError(f"{at} was never finished. Run: {remove} and start again.")
