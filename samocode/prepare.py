"""Prepare a run: recovery, the user's texts, the worktree, SETUP, warnings, the `start` line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from samocode import __version__, task
from samocode.decide.facts import HEARD
from samocode.git import gitdir
from samocode.git.branches import Branches
from samocode.git.command import typed
from samocode.git.repository import Repository
from samocode.git.worktree import check_moved
from samocode.iteration import Iterations
from samocode.record.exits import ExitCode, Stop, UserError
from samocode.record.files import real
from samocode.record.state import WorktreeStatus
from samocode.record.words import counted
from samocode.session import Session, code_of
from samocode.settings.load import Settings
from samocode.task import Texts
from samocode.verify import set_up

DECISIONS = (ExitCode.BLOCKED, ExitCode.LIMIT, ExitCode.INTERRUPTED)
"""Stops after which only a person restarts. After others, a supervisor may."""


def prepare(iterations: Iterations, texts: Texts) -> Stop | None:
    """Prepare the session for its first spawn. UserError if the worktree cannot be made,
    was moved or has another branch checked out, or if SETUP fails. Returns a Stop if a recovered
    iteration ended in one and the user wrote nothing new, or if a stop was requested during
    SETUP."""
    session, say, settings = iterations.session, iterations.say, iterations.settings
    if session.checkout:
        check_moved(*session.checkout, settings.project.worktrees)
    recovered = iterations.recover()
    new = task.new(session, texts)
    task.take(session, texts, say)
    if recovered and recovered.stop and not new:
        return recovered.stop
    for warning in [*settings.warnings, *_visible_folders(session, settings)]:
        say(f"warning: {warning}")
    made = session.ensure_worktree()
    if made:
        say(made)
    if made and (left := _uncommitted(session, settings)):
        say(f"note: the worktree lacks {counted(left, 'uncommitted or new file')} of your checkout")
    if session.checkout is None:
        say(
            "This session began without a git repository, so it is research only. To change code, "
            f"make {session.cwd} a repository (git init, a first commit) and begin a new session."
        )
    if not set_up(session, settings, iterations.shutdown, say):
        return iterations.shutdown.stop
    for warning in session.shared.warnings(settings.project.setup or "") if session.shared else ():
        say(f"warning: {warning}")
    decided = session.state.stopped is not None and session.state.stopped[0] in DECISIONS
    code = session.status()
    _check_branch(session, code)
    session.history.append(
        "start", pid=os.getpid(), version=__version__, model=settings.model,
        made=made is not None or None, decision=decided or None, **code_of(code),
    )  # fmt: skip
    return None


def _check_branch(session: Session, code: WorktreeStatus | None) -> None:
    """UserError if another branch is checked out. Not after a failed iteration, because the next
    child can switch back, and not if a blocked child left a merge or rebase in progress."""
    last, checkout = session.state.last, session.checkout
    if code is None or checkout is None or (last and last.outcome not in HEARD):
        return
    path, branch = checkout.worktree[:2]
    left = gitdir.unfinished(path)
    if left and last and last.outcome == "blocked":  # the child's own rebase, for example
        return
    if code.branch != branch:
        renamed = not Branches.read(checkout.repository).has(branch)
        busy = "".join(f" First end {what}." for what in left)
        remedy = f"{typed(path)} {'switch -c' if renamed else 'switch'} {branch}"
        raise UserError(
            f"{path} has {code.branch} checked out, not {branch}.{busy} Run: {remedy}",
            exit_code=ExitCode.BLOCKED,
        )


def _uncommitted(session: Session, settings: Settings) -> int:
    """Count the changed and untracked files of the user's checkout, without Samocode's own."""
    if session.checkout is None:
        return 0
    repository, project = session.checkout.repository, settings.project
    top = repository.top
    own = (project.file, project.sessions, session.checkout.worktree.path.parent)
    said = repository.call("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
    paths = (real(top) / entry[3:] for entry in (said or "").split("\0") if entry)
    return sum(not any(path.is_relative_to(place) for place in own) for path in paths)


def _visible_folders(session: Session, settings: Settings) -> list[str]:
    if session.checkout is None:
        return []
    worktrees = session.checkout.worktree.path.parent
    places = {"SESSIONS": settings.project.sessions, "WORKTREES": worktrees}
    return visible_folders(session.checkout.repository, places)


def visible_folders(repository: Repository, places: Mapping[str, Path]) -> list[str]:
    """Warn about SESSIONS or WORKTREES in the repository that git does not ignore."""
    top = real(repository.top)
    return [
        f"{name} lies inside the repository; add this line to its .gitignore: "
        f"/{real(path).relative_to(top)}/"
        for name, path in places.items()
        if not repository.ignores(path)
    ]
