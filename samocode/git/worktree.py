"""A session's own branch and worktree: the one thing that the loop makes in a repository."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path

from samocode.git.command import TIMEOUT, typed
from samocode.git.repository import Repository
from samocode.record.exits import UserError
from samocode.record.state import Worktree

HALF_MADE = ("failed to read", "not a git repository", ".lock", "File exists")
WAITS = (0.1, 0.3, 1.0, 3.0)  # seconds before the tries after the first


def ensure(repository: Repository, worktree: Worktree) -> str | None:
    """Make the worktree usable; None when it was, else what was done. UserError when something is
    in the way."""
    checked_out = _registered(repository)
    if (at := worktree.path.resolve()) in checked_out and at.is_dir():
        _wait_until_made(repository, at)
        return None
    if at.exists():
        raise UserError(
            f"{at} is there and is no worktree of {repository.top}: move it away and run again."
        )
    if taken := _holder(repository, worktree.branch):
        raise UserError(
            f"Branch {worktree.branch} is checked out in {taken}: switch that to another branch."
        )
    at.parent.mkdir(parents=True, exist_ok=True)
    new = not repository.exists(worktree.branch)
    _call(repository, "add", "-f", arguments=lambda: _target(repository, worktree))
    if new:
        return f"worktree {at} on new branch {worktree.branch}, from {worktree.base}"
    return f"worktree {at} made again from branch {worktree.branch}"


def check_free(repository: Repository, worktree: Worktree) -> None:
    """UserError when a new session's path or branch is somebody else's already."""
    if repository.exists(worktree.branch):
        raise UserError(
            f"Branch {worktree.branch} exists already: choose another --session name, or remove "
            f"it with the commits on it: {_remove(repository, worktree.branch)}"
        )
    if worktree.path.exists() or worktree.path.resolve() in _registered(repository):
        raise UserError(
            f"{worktree.path} is taken already: choose another --session name, or move it away."
        )


def merge(repository: Repository, worktree: Worktree) -> str:
    """The command that merges a session's branch into its base, wherever that is checked out; into
    what MAIN_REPO has when the base is no branch (any more)."""
    base, top = worktree.base.removeprefix("origin/"), typed(repository.top)
    merging = f"merge {shlex.quote(worktree.branch)}"
    here = (repository.call("symbolic-ref", "-q", "--short", "HEAD") or "").strip() == base
    if not here and (elsewhere := _holder(repository, base)):
        return f"{typed(elsewhere)} {merging}"
    is_branch = repository.full(worktree.base) != worktree.base
    return (f"{top} switch {shlex.quote(base)} && " if is_branch else "") + f"{top} {merging}"


def _remove(repository: Repository, branch: str) -> str:
    """The command that removes a branch and its worktree, which may be gone already."""
    git, at = typed(repository.top), _holder(repository, branch)
    worktree = f"remove {shlex.quote(str(at))}" if at else "prune"
    return f"{git} worktree {worktree} && {git} branch -D {shlex.quote(branch)}"


def _holder(repository: Repository, branch: str) -> Path | None:
    """The worktree that has this branch checked out."""
    found = _registered(repository).items()
    return next((at for at, name in found if name == branch and at.is_dir()), None)


def _target(repository: Repository, worktree: Worktree) -> list[str]:
    """What to check out where; a try that failed half-way may have made the branch."""
    path = str(worktree.path.resolve())
    if repository.exists(worktree.branch):
        return [path, worktree.branch]
    return ["--no-track", "-b", worktree.branch, path, repository.full(worktree.base)]


def _call(repository: Repository, *args: str, arguments: Callable[[], list[str]] = list) -> str:
    """`git worktree ...`, tried again where it met another worktree half made."""
    tries = iter(WAITS)
    while True:
        answer = repository.run("worktree", *args, *arguments())
        if answer.returncode == 0:
            return answer.stdout
        why = answer.stderr.strip()
        wait = next(tries, None) if any(word in why for word in HALF_MADE) else None
        if wait is None:
            said = why.splitlines()[-1] if why else "it did not say why"
            raise UserError(f"git worktree {args[0]} failed in {repository.top}: {said}")
        time.sleep(wait)


def _wait_until_made(repository: Repository, at: Path) -> None:
    """A loop killed in `git worktree add` leaves git at work; git locks the worktree until it is
    whole."""
    for _ in range(TIMEOUT):
        if "initializing" not in _listed(repository).get(at, {}).get("locked", ""):
            return
        time.sleep(1)
    remove = f"{typed(repository.top)} worktree remove -f -f {shlex.quote(str(at))}"
    raise UserError(f"{at} was never finished. Run: {remove} and start again.")


def _listed(repository: Repository) -> dict[Path, dict[str, str]]:
    """What `git worktree list` says of each worktree (-z would need git 2.36)."""
    found: dict[Path, dict[str, str]] = {}
    for block in _call(repository, "list", "--porcelain").split("\n\n"):
        entries = [line.partition(" ") for line in block.splitlines()]
        lines = {key: value for key, _, value in entries}
        if "worktree" in lines:
            found[Path(lines["worktree"]).resolve()] = lines
    return found


def _registered(repository: Repository) -> dict[Path, str]:
    """Path -> branch ("" when detached) of every worktree git knows."""
    listed = _listed(repository).items()
    return {at: of.get("branch", "").removeprefix("refs/heads/") for at, of in listed}
