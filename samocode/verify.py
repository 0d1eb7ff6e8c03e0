"""Run SETUP in a new worktree, and VERIFY before `done` is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from samocode.child import processes
from samocode.child.command import environment
from samocode.child.shutdown import Shutdown
from samocode.decide import policy
from samocode.decide.changes import built
from samocode.decide.facts import Decision
from samocode.record import files
from samocode.record.exits import ExitCode, UserError
from samocode.record.words import few
from samocode.session import Session
from samocode.settings.load import Settings

SETUP_LINES = 20  # of a failed SETUP's output, shown to the user
VERIFY_LINES = 50  # of a failed VERIFY's output, for the next child
LIMIT = "a limit (the time of CLAUDE_TIMEOUT or --timeout, or 1 GB of output)"
Say = Callable[[str], None]


def set_up(session: Session, settings: Settings, shutdown: Shutdown, say: Say) -> bool:
    """Run SETUP unless it has succeeded in this worktree. Record its exit code and what it changed.
    Return False if a stop request interrupted it. UserError (blocked) if it fails."""
    command = settings.project.setup
    if session.state.set_up or not command or (before := session.status()) is None:
        return True
    say(f"SETUP: {command}")
    log = session.new_log("setup")
    session.history.append("setup", log=log.name)
    code = _run(command, session, settings, log, lambda: shutdown.requested, shutdown.wait)
    after = session.status()
    session.history.append("setup", exit=code, dirty=after.newly_dirty(before) if after else None)
    if changed := session.changed_meanwhile():
        say(
            f"warning: SETUP changed {few(changed)}, which your own checkout uses too. "
            "They may point into this worktree: check your settings before you remove it."
        )
    if code != 0 and not shutdown.requested:
        end = "\n".join(files.last_lines(log, SETUP_LINES))
        how = f"with exit code {code}" if code is not None else f"at {LIMIT}"
        raise UserError(
            f"SETUP ended {how} (log: {log}). Correct that, then run again.\n{end}",
            exit_code=ExitCode.BLOCKED,
        )
    return code == 0


def confirm(
    decision: Decision, session: Session, settings: Settings, shutdown: Shutdown, say: Say
) -> Decision | None:
    """Run VERIFY if `done` is signalled and the session may have code. Return the decision, None if
    interrupted."""
    command = settings.project.verify
    if decision.outcome != "done" or not command:
        return decision
    number, before = session.state.iteration + 1, session.status()
    if not built(session.state, before):
        return decision
    say(f"VERIFY: {command}")
    log = session.new_log(f"{number:03d}-verify")
    code = _run(command, session, settings, log, lambda: shutdown.now, shutdown.wait)
    if shutdown.now:
        return None
    after = session.status()
    changed = after.changes_since(before) if before and after else ()
    if code == 0 and not changed:
        return decision
    how = f"exit code {code}" if code is not None else f"ended at {LIMIT}"
    if changed:  # the tree that it checked is not what is committed
        how += f", and it changed {few(changed)}. Commit or ignore what VERIFY generates"
    lines = files.last_lines(log, VERIFY_LINES)
    failure = "\n".join([*lines, f"({command}: {how})"])
    return policy.verify_failed(session.state, failure)


def _run(
    command: str,
    session: Session,
    settings: Settings,
    log: Path,
    stopped: Callable[[], bool],
    wait: Callable[[float], None],
) -> int | None:
    environ = environment(settings.environ, session.top)
    cwd = session.cwd if session.cwd.is_dir() else session.top or session.main_repo
    return processes.run_shell(
        command, cwd, environ, session.folder, log, settings.timeout, stopped, wait
    )
