"""One run of the Claude CLI: start it, follow its output, end its process tree."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, final

from samocode.child import processes
from samocode.child.command import Job, command, environment, labelled, not_as_announced
from samocode.child.shutdown import Shutdown
from samocode.child.stream import EndReason, Event, Init, Reader, RunResult
from samocode.record import files
from samocode.settings.load import Settings
from samocode.settings.timeouts import Timeouts

# After so many 401 or 403 responses, end the run. The CLI would retry for three minutes.
AUTH_RETRIES = 3
FIRST_TICK = 0.02  # seconds between reads until init; the first request follows 0.1 s after it
TAIL_BYTES = 4000
MAX_LEFT_OVER = 50  # names for the history; a tree that keeps forking has thousands


def run(
    settings: Settings,
    prompt: bytes,
    job: Job,
    shutdown: Shutdown,
    timeouts: Timeouts,
    show: Callable[[Event | None], None],
) -> RunResult:
    """Run the CLI and then end all it started. `show` gets each event, and None at each tick."""
    if not os.access(settings.claude, os.X_OK):  # missing for a moment during an update
        return RunResult(stderr=f"{settings.claude} is gone or not executable")
    session_id = _random_uuid()
    began = time.monotonic()
    with _open_logs(job.log) as (log, stderr), _pipe() as (stdin, given):
        words = command(settings, job, session_id)
        environ = labelled(environment(settings.environ, job.top), job)
        try:
            main = processes.spawn(words, job.cwd, environ, job.session, stdin, log, stderr)
        except OSError as error:  # not a program for this machine, or no interpreter
            return RunResult(stderr=f"{settings.claude} cannot be run: {error}")
        given.write(prompt)  # last: if the loop is killed before, the child reads EOF and exits
        given.close()
        with job.log.open("rb") as tail:
            refuses = partial(not_as_announced, settings)
            watch = Watch(main, (tail, stderr), timeouts, show, job.limit, refuses)
            try:
                ended = watch.until_end(shutdown)
            finally:
                left_over = processes.end_tree(job.session, main, timeouts.term_grace)
            watch.read_on()
    return watch.reader.result._replace(
        session_id=session_id,
        ended=ended,
        exit_code=main.returncode,
        seconds=time.monotonic() - began,
        left_over=tuple(str(process) for process in left_over[:MAX_LEFT_OVER]),
        stderr=_tail(job.log.with_suffix(".stderr")),
    )


def recover(log: Path) -> RunResult:
    """Rebuild an interrupted run from its log. Its duration is an estimate: usually nothing was
    written to stderr, so the mtime of that file is the start."""
    reader, seconds, stderr = Reader(), 0.0, log.with_suffix(".stderr")
    if log.is_file():
        with log.open("rb") as file:
            reader.follow(file, lambda _: None)
        if stderr.is_file():
            seconds = max(0.0, log.stat().st_mtime - stderr.stat().st_mtime)
    return reader.result._replace(ended="killed_loop", seconds=seconds, stderr=_tail(stderr))


@contextmanager
def _open_logs(log: Path) -> Generator[tuple[IO[bytes], IO[bytes]]]:
    """Open new files for stdout and stderr."""
    with files.created(log) as out, files.created(log.with_suffix(".stderr")) as err:
        yield out, err


@contextmanager
def _pipe() -> Generator[tuple[IO[bytes], IO[bytes]]]:
    """Return both ends of a pipe, for the prompt. A file would fail on a full disk."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as out, os.fdopen(writing, "wb") as into:
        yield out, into


def _random_uuid() -> str:
    """Return a random UUID (RFC 9562, version 4). The module uuid is slow to import."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _tail(path: Path) -> str:
    return files.tail(path, TAIL_BYTES).decode("utf-8", "replace").strip()


@final
class Watch:
    """Follows a running child by its log, the first of `outputs`, and decides when to end it."""

    def __init__(
        self,
        main: subprocess.Popen[bytes],
        outputs: tuple[IO[bytes], IO[bytes]],
        timeouts: Timeouts,
        show: Callable[[Event | None], None],
        limit: float,
        refuses: Callable[[Init | None], EndReason | None],
    ) -> None:
        self.reader = Reader()
        self._main, self._outputs, self._timeouts, self._show = main, outputs, timeouts, show
        self._start, self._last_event = time.monotonic(), 0.0
        self._limit, self._refuses = limit, refuses

    def read_on(self) -> None:
        """Read and show what was added to the log."""
        self.reader.follow(self._outputs[0], self._on_event)

    def _on_event(self, event: Event) -> None:
        self._last_event = time.monotonic()
        self._show(event)

    def until_end(self, shutdown: Shutdown) -> EndReason:
        """Wait until the child exits or must be ended. Return the reason."""
        while True:
            gone = self._main.poll() is not None
            self.read_on()
            if reason := self._refuses(self.reader.result.init):
                self._main.kill()  # on SIGTERM it still sends its first request (CLI 2.1.332)
                return reason
            if gone:
                return "itself"
            if reason := self._reason(shutdown):
                return reason
            self._show(None)
            processes.reap(self._main)  # else adopted orphans stay zombies
            shutdown.wait(self._timeouts.tick if self.reader.result.started else FIRST_TICK)

    def _hangs(self, silent: float) -> bool:
        """Whether the CLI has been silent for too long after its result: `hook_grace` while it has
        a child process (a hook), else `result_grace`."""
        times = self._timeouts
        if silent <= times.result_grace:
            return False
        return silent > times.hook_grace or not processes.has_children(self._main.pid)

    def _reason(self, shutdown: Shutdown) -> EndReason | None:
        now, result = time.monotonic(), self.reader.result
        if shutdown.now:
            return "stopped"
        if now - self._start > self._limit:
            return "timeout"
        if not self._last_event and now - self._start > self._timeouts.init_grace:
            return "no_init"
        if result.finished and self._hangs(now - self._last_event):
            return "after_result"
        if sum(os.fstat(file.fileno()).st_size for file in self._outputs) > processes.MAX_OUTPUT:
            return "flood"
        return "auth" if result.auth_retries >= AUTH_RETRIES else None
