"""What a run needs before its first iteration: the worktree, SETUP, the warnings, and the start on
record."""

from __future__ import annotations

import os
from collections.abc import Callable

from samocode import __version__, claude, files, processes
from samocode.config import Settings
from samocode.errors import UserError
from samocode.session import Session
from samocode.stop import StopRequest

SETUP_LINES = 20  # of a failed SETUP's output, shown


def prepare(
    session: Session, settings: Settings, stop: StopRequest, say: Callable[[str], None]
) -> None:
    """Make the session ready to spawn. UserError when the worktree cannot be had (2) or SETUP fails
    (3)."""
    for warning in [*settings.warnings, *_visible_folders(session)]:
        say(f"warning: {warning}")
    made = session.ensure_worktree()
    say(made or f"Working in {session.cwd}")
    if made and (left := _uncommitted(session)):
        say(f"note: uncommitted changes and new files of MAIN_REPO are not in it ({left} files)")
    if session.worktree is None:
        say(
            f"{session.cwd} is in no git repository: research only, no code is changed. For code: "
            "git init there, commit, and begin a new session."
        )
    if made or not session.history.past.set_up:
        _run_setup(session, settings, stop, say)
    code = session.code()
    session.history.append(
        "start", pid=os.getpid(), version=__version__, model=settings.model,
        head=code.head if code else None, dirty=dict(code.dirty) if code else None,
    )  # fmt: skip


def _uncommitted(session: Session) -> int:
    """How many files of MAIN_REPO are changed or not tracked; Samocode's own there aside."""
    if session.repository is None or session.worktree is None:
        return 0
    top, project = session.repository.top, session.project
    own = (project.file, project.sessions, session.worktree.path.parent)
    new = (top.resolve() / name for name in session.repository.untracked(top))
    seen = [path for path in new if not any(path.is_relative_to(place) for place in own)]
    return len(session.repository.state(top).dirty) + len(seen)


def _run_setup(
    session: Session, settings: Settings, stop: StopRequest, say: Callable[[str], None]
) -> None:
    command = session.project.setup
    if not command or session.worktree is None:
        return
    say(f"SETUP: {command}")
    log = session.new_log("setup")
    environ = claude.environment(settings.environ, session.top)
    code = processes.run_shell(
        command, session.cwd, environ, session.folder, log, settings.timeout, lambda: stop.requested
    )
    session.history.append("setup", exit=code)
    if code != 0 and not stop.requested:
        end = "\n".join(files.last_lines(log, SETUP_LINES))
        how = f"exit code {code}" if code is not None else "the time limit"
        raise UserError(
            f"SETUP ended with {how} (log: {log}). Mend it in .samocode, then go on.\n{end}",
            exit_code=3,
        )


def _visible_folders(session: Session) -> list[str]:
    """SESSIONS or WORKTREES inside the repository and not ignored would show up in the user's git
    status."""
    if session.repository is None or session.worktree is None:
        return []
    top = session.repository.top.resolve()
    places = {"SESSIONS": session.project.sessions, "WORKTREES": session.worktree.path.parent}
    return [
        f"{name} lies inside the repository; add this line to its .gitignore: "
        f"/{path.resolve().relative_to(top)}/"
        for name, path in places.items()
        if not session.repository.ignores(path)
    ]
