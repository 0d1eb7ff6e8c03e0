"""Create a session's branch and worktree. Nothing else writes to the user's repository."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from samocode.git import gitdir
from samocode.git.branches import Branches
from samocode.git.command import TIMEOUT, typed
from samocode.git.repository import Repository
from samocode.record import files
from samocode.record.exits import ExitCode, UserError
from samocode.record.state import Worktree

HALF_MADE = ("failed to read", "not a git repository", ".lock", "File exists")
WAITS = (0.1, 0.3, 1.0, 3.0)  # seconds between attempts


def ensure(repository: Repository, worktree: Worktree, head: str | None = None) -> str | None:
    """Create the worktree unless it exists. Return what was done, or None. UserError if the path or
    the branch is in use, or git fails. A missing branch is created at `head`, the session's last
    commit, or at the base."""
    at = files.real(worktree.path)
    if _is_made(repository, at) and at.is_dir():
        return None
    if at.exists():
        raise UserError(
            f"{at} exists and is not a worktree of {repository.top}: move it away and run again."
        )
    branches = Branches.read(repository)
    if taken := branches.holder(worktree.branch):
        move = f"{typed(repository.top)} worktree move {shlex.join([str(taken), str(at)])}"
        raise UserError(
            f"Branch {worktree.branch} is checked out in {taken}: switch that to another branch. "
            f"If the session's worktree was moved there, move it back: {move}"
        )
    add = ("worktree", "add", "-f", str(at), worktree.branch)
    if head and repository.commit(head) is None:
        refs = f"origin {worktree.branch}:{worktree.branch}"
        raise UserError(
            f"The last commit {head[:9]} of the branch {worktree.branch} is not in "
            f"{repository.top}. If it is lost, begin a new session. Else fetch it from where it "
            f"is: {typed(repository.top)} fetch {refs}",
            exit_code=ExitCode.BLOCKED,
        )
    if branches.has(worktree.branch):
        _call(repository, *add)
        return f"worktree {at} recreated from branch {worktree.branch}"
    start = head or branches.commit(worktree.base) or worktree.commit or worktree.base
    _call(repository, "branch", worktree.branch, start)
    try:
        _call(repository, *add)
    except UserError:  # a missing filter or a full disk: leave nothing behind
        repository.call("worktree", "remove", "-f", "-f", str(at))
        repository.call("branch", "-q", "-D", worktree.branch)
        raise
    source = f"at its last commit {head[:9]}" if head else f"from {worktree.base}"
    return f"worktree {at} on new branch {worktree.branch}, {source}"


def in_the_way(branches: Branches) -> str | None:
    """Return the command that renames a branch `samocode`, None if there is none. Git stores a
    branch as a file, and the branches samocode/SESSION need a folder of that name."""
    if not branches.has("samocode"):
        return None
    return f"{typed(branches.repository.top)} branch -m samocode other-name"


def check_free(branches: Branches, worktree: Worktree) -> None:
    """Raise UserError if a new session's path or branch already exists."""
    if rename := in_the_way(branches):
        raise UserError(
            f"A branch named samocode prevents the branch {worktree.branch}. Rename it: {rename}"
        )
    if branches.has(worktree.branch):
        raise UserError(
            f"Branch {worktree.branch} exists already: choose another --session name, or remove "
            f"it with the commits on it: {_remove(branches, worktree.branch)}"
        )
    if worktree.path.exists() or files.real(worktree.path) in branches.holders.values():
        raise UserError(
            f"{worktree.path} already exists: choose another --session name, or move it away."
        )


def check_moved(repository: Repository, worktree: Worktree, folder: Path) -> None:
    """Raise UserError if a session's worktree was moved into `folder`, perhaps with the repository.
    A new one at its recorded path would lack the uncommitted work."""
    now = folder / worktree.path.name
    if now.is_dir() and not worktree.path.exists():
        new, old, parent = (shlex.quote(f"{p}") for p in (now, worktree.path, worktree.path.parent))
        repair = f"{typed(repository.top)} worktree repair {old}"
        raise UserError(
            f"The session's worktree {worktree.path} was moved to {now}. Move it back, and you can "
            f"go on: mkdir -p {parent} && mv {new} {old} && {repair}"
        )


def _remove(branches: Branches, branch: str) -> str:
    """Return the command that removes a branch and its worktree, if it has one."""
    git, at = typed(branches.repository.top), branches.holder(branch)
    worktree = f"remove {shlex.quote(str(at))}" if at else "prune"
    return f"{git} worktree {worktree} && {git} branch -D {shlex.quote(branch)}"


def _call(repository: Repository, *args: str) -> None:
    """Run git, retrying while another worktree is created. UserError has git's full output."""
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
    """Whether git has a worktree at this path. Waits while git is still creating it. If the loop is
    killed, `git worktree add` may still be running or cleaning up."""
    for _ in range(TIMEOUT):
        own = gitdir.known(repository.common, at)
        if own is None or b"initializing" not in files.read_any(own / "locked"):
            return own is not None
        time.sleep(1)
    remove = f"{typed(repository.top)} worktree remove -f -f {shlex.quote(str(at))}"
    raise UserError(f"{at} was never finished. Before the next start, run: {remove}")
