"""--status, --report, --watch, --until-change and --stop: look at sessions, or signal a running
loop. Nothing is run, and nothing but a report is written."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime
from pathlib import Path

from samocode import naming, sessions
from samocode.child.shutdown import ASK, Shutdown
from samocode.git.repository import Repository
from samocode.lock import is_running, signal_holder
from samocode.record.exits import ExitCode, UserError
from samocode.session import open_session
from samocode.settings.flags import program
from samocode.settings.load import Settings
from samocode.settings.timeouts import Timeouts
from samocode.show import report
from samocode.show.facts import facts
from samocode.show.live import View
from samocode.show.notices import notifier
from samocode.show.row import rows
from samocode.show.table import table, terminal_columns
from samocode.show.watch import until_change, watch


def look(settings: Settings, timeouts: Timeouts) -> int:
    """Show all sessions or one, or ask its loop to stop. Return the exit code. UserError if there
    is no such session."""
    project, name, say = settings.project, settings.session, View().say
    repository = sessions.repository_of(settings)
    if name is None and (settings.status or settings.max_iterations == 0):
        say(_all(settings))
        return ExitCode.DONE
    folder = _awaited(settings, repository, timeouts)
    if settings.stop:
        now = settings.stop == "now"
        pid = signal_holder(folder, signal.SIGTERM if now else ASK)
        when = "at once" if now else "as soon as no iteration runs"
        say(f"{folder.name}: its loop (pid {pid}) was asked to stop {when}.")
        return ExitCode.DONE
    session = open_session(project.main_repo, folder, repository, repair=False)
    notices = notifier(session, settings, timeouts, Shutdown())
    if settings.watch:
        return watch(notices, timeouts)
    if settings.until_change:
        known = settings.until_change
        return until_change(notices, timeouts, 0 if known == "yes" else int(known))
    if settings.report:
        say(str(report.write(session, is_running(folder))))
    elif settings.json:
        say(_json(facts(session, is_running(folder), notices.resume())))
    else:
        notices.show_status()
    return ExitCode.DONE


def _awaited(settings: Settings, repository: Repository | None, timeouts: Timeouts) -> Path:
    """Find the session's folder. --until-change may be called before the loop has created it."""
    project, name = settings.project, settings.session
    until = time.monotonic() + (timeouts.start_grace if settings.until_change else 0)
    while True:
        try:
            chosen = name or naming.choose(project, repository, running=not settings.report)
            return sessions.find_or_create(project, chosen, {}, repository)[0]
        except UserError:
            if time.monotonic() >= until:
                raise
            time.sleep(timeouts.poll)


def _all(settings: Settings) -> str:
    found = rows(settings.project.sessions)
    if settings.json:
        return _json({"sessions": [row._asdict() for row in found]})
    if not found:
        command = " ".join(program(settings.environ))
        where = settings.project.sessions
        return f"No sessions in {where}. To begin one: {command} --session NAME --task TEXT"
    return table(found, datetime.now().astimezone(), terminal_columns())


def _json(value: object) -> str:
    """JSON in ASCII, so that nothing in it can control a terminal."""
    return json.dumps(value, indent=2)
