"""Follow a loop that another process runs: --watch shows it, --until-change waits for its end or
for a question."""

from __future__ import annotations

import contextlib
import shlex
import time
from pathlib import Path
from typing import IO, final

from samocode.child.stream import Reader
from samocode.lock import is_running
from samocode.pages.names import HISTORY, LOGS, QA
from samocode.record.exits import ExitCode, Stop, UserError
from samocode.record.fold import Line
from samocode.session import Session
from samocode.settings.flags import program
from samocode.settings.timeouts import Timeouts
from samocode.show import status
from samocode.show.columns import clip
from samocode.show.notices import Notifier
from samocode.show.row import NOT_STARTED, standing
from samocode.show.text import TITLES, since

JOINED = 1 << 16  # bytes of a log that are shown when a running iteration is joined
MOST_LINES, MOST_COLUMNS = 20, 1000  # of --until-change
KILLED = Stop(ExitCode.FAILED, "The loop was killed: no stop is on record.")


def watch(notices: Notifier, timeouts: Timeouts) -> int:
    """Show a running loop until it stops, and return its exit code. UserError if none runs. Ctrl-C
    ends only this view (exit code 0)."""
    session, view = notices.session, notices.view
    if not is_running(session.folder):
        raise _no_loop(notices)
    view.say(f"Watching {session.name}; Ctrl-C ends only this view.")
    shown = _Shown(notices)
    try:
        while (stop := shown.look()) is None:
            time.sleep(timeouts.tick)
    except KeyboardInterrupt:
        view.screen.unblock()
        how = shlex.join([*program(notices.settings.environ), "--session", session.name, "--stop"])
        view.say(f"The loop still runs. To stop it: {how}")
        return ExitCode.DONE
    view.screen.unblock()
    view.say("\n" + status.stop_text(session, stop, notices.resume()))
    return stop.code


@final
class _Shown:
    """Shows each new history line of a session, and what its child does."""

    def __init__(self, notices: Notifier) -> None:
        self._session, self._view = notices.session, notices.view
        self._reader = Reader()
        self._path: Path | None = None
        self._log: IO[bytes] | None = None
        self._joined = False
        self._announced: set[int] = set()
        state = self._session.state
        if state.pending:
            self._begin(max(since(state.began), 0.001))

    def look(self) -> Stop | None:
        """Show what is new. Return the Stop of the loop, once there is one."""
        running = is_running(self._session.folder)  # before reading, to miss no line
        state = self._session.state
        for line in self._session.history.follow():
            self._show(line)
            if line["event"] == "stop":
                return _stop(self._session)
        if not running:
            return KILLED
        if state.pending:
            self._read_on()
            self._view.event(None)
        elif {q.id for q in state.open} - self._announced:
            self._announced = {q.id for q in state.open}
            how = status.how_to_answer(self._session, terminal=False)
            self._view.say(f"\n{status.questions_text(self._session)}\n\n{how}")
        return None

    def _show(self, line: Line) -> None:
        event, say = line["event"], self._view.say
        if event == "begin":
            self._begin(0)
        elif event == "iteration":
            self._read_on()
            self._view.ended(line)
        elif event == "answer":
            title, text = self._session.state.asked[line["id"]].title, line["text"]
            say(f"Q{line['id']}: {title}\n   answer ({line.get('by')}): {text}")
        elif event == "setup":
            if "log" in line:
                say("SETUP runs")
            elif "exit" in line:
                say(f"SETUP ended with exit code {line['exit']}")
        elif event == "limit":
            say(f"   {line['why']}: waits until {line['until']}")
        elif event == "task":
            say(f"A text was added to _task.md: {line['text']}")

    def _begin(self, ago: float) -> None:
        """Show the heading of the iteration that began some seconds ago."""
        if begun := self._session.state.pending:
            self._view.iteration(self._session.state, ago)
            self._reader, self._joined = Reader(), ago > 0
            self._path = self._session.folder / LOGS / Path(begun.log).name
            if self._log:
                self._log.close()
            self._log = None

    def _read_on(self) -> None:
        """Show what the child has done since the last look."""
        if self._path and self._log is None:
            with contextlib.suppress(OSError):  # not created yet
                self._log = self._path.open("rb")
                self._log.seek(max(0, self._path.stat().st_size - JOINED) if self._joined else 0)
        if self._log:
            self._reader.follow(self._log, self._view.event)


def until_change(notices: Notifier, timeouts: Timeouts, known: int) -> int:
    """Wait until the loop stops, was killed, or waits for a person with more than `known` lines in
    its history. Print at most 20 lines and return the exit code: 4 at a question, the loop's own
    after a stop, 1 if it was killed. UserError if no loop has ever run the session."""
    session, seen = notices.session, False
    until = time.monotonic() + timeouts.start_grace
    while True:
        running = is_running(session.folder)
        events = [line["event"] for line in session.history.follow()]
        seen |= running
        ended = "stop" in events and session.state.stopped
        if ended or (not running and (seen or time.monotonic() > until)):
            if standing(session.state, running=False)[0] == NOT_STARTED:
                raise _no_loop(notices)
            stop = _stop(session)
            text = status.stop_text(session, stop, notices.resume())
            _brief(notices, text)
            return stop.code
        news = session.state.lines > known
        if running and news and _at_gate(session, 5 * timeouts.settle):
            _brief(notices, _waiting(session))
            return ExitCode.WAITING
        time.sleep(timeouts.poll)


def _no_loop(notices: Notifier) -> UserError:
    return UserError(f"No loop runs {notices.session.name}. To resume it: {notices.resume()}")


def _at_gate(session: Session, quiet: float) -> bool:
    """Whether a question is open, and nothing was written for some seconds: an answer that was just
    saved is not taken yet."""
    state, last = session.state, 0.0
    if state.pending or state.setting_up or not state.open:
        return False
    for name in (QA, HISTORY):
        with contextlib.suppress(OSError):
            last = max(last, (session.folder / name).stat().st_mtime)
    return abs(time.time() - last) > quiet


def _waiting(session: Session) -> str:
    """What a waiting session asks, in short."""
    titles = [f"Q{question.id}: {question.title}" for question in session.state.open]
    titles += [f"   {q.why}" for q in session.state.open if q.kind == "approval"]
    how = status.how_to_answer(session, terminal=False)
    title = f"samocode {session.name}: {TITLES[ExitCode.WAITING]}"
    following = f"For the next wait: --until-change {session.state.lines}"
    titles += status.not_taken(session.state)
    return "\n".join([title, *titles, how, status.so_far(session.state), following])


def _brief(notices: Notifier, text: str) -> None:
    """Print a text, shortened in its middle to at most MOST_LINES."""
    lines = [clip(line, MOST_COLUMNS) if line else "" for line in text.splitlines()]
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        more = f"({len(lines) - MOST_LINES + 1} more lines: --status)"
        lines = [*lines[:half], more, *lines[1 - half :]]
    notices.view.say("\n".join(lines))


def _stop(session: Session) -> Stop:
    code, why = session.state.stopped or KILLED[:2]
    return Stop(ExitCode(code), why)
