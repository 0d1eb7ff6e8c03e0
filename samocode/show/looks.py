"""--status and --stop: a look at sessions, and a word to a running loop. Nothing is made or run."""

from __future__ import annotations

import json
import signal
from datetime import datetime

from samocode import sessions
from samocode.child.shutdown import ASK, Shutdown
from samocode.git.repository import Repository
from samocode.lock import is_running, signal_holder
from samocode.record.exits import ExitCode
from samocode.session import open_session
from samocode.settings.flags import program
from samocode.settings.load import Settings
from samocode.settings.timeouts import Timeouts
from samocode.show.live import View
from samocode.show.notices import notifier
from samocode.show.report import report
from samocode.show.row import rows
from samocode.show.table import table, terminal_columns


def look(settings: Settings, timeouts: Timeouts) -> int:
    """Show all sessions or one, or ask its loop to stop; the exit code. UserError where there is no
    such session."""
    project, name, say = settings.project, settings.session, View().say
    if name is None:
        say(_all(settings))
        return ExitCode.DONE
    repository = Repository.find(project.main_repo, settings.environ)
    folder, _ = sessions.find_or_create(project, name, {}, repository)
    if settings.stop:
        now = settings.stop == "now"
        pid = signal_holder(folder, signal.SIGTERM if now else ASK)
        when = "at once" if now else "once no iteration runs"
        say(f"{folder.name}: its loop (pid {pid}) was asked to stop {when}.")
        return ExitCode.DONE
    session = open_session(project.main_repo, folder, repository, repair=False)
    notices = notifier(session, settings, timeouts, Shutdown())
    if settings.json:
        say(_json(report(session, is_running(folder), notices.resume())))
    else:
        notices.show_status()
    return ExitCode.DONE


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
    """In ASCII: nothing in it can drive a terminal."""
    return json.dumps(value, indent=2)
