"""Follow a running CLI by its log until something ends it: itself, a limit, or the human."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import IO, Literal, final

from samocode import processes
from samocode.events import Event, Reader
from samocode.stop import StopRequest
from samocode.timing import Timing

# 401 or 403 this often: the login is wrong, and the CLI's own retries would take three minutes.
AUTH_RETRIES = 3
MAX_OUTPUT = 1 << 30  # bytes; the longest runs write some ten MB, a flood fills any disk
LOOK = 1.0  # seconds of reading between two looks at the limits: a flood is never read up
Ended = Literal[
    "itself", "timeout", "stopped", "no_init", "after_result", "auth", "flood", "killed_loop"
]


@final
class Watch:
    """Follows a running child by its log file, the first of its two `outputs`, until something ends
    it."""

    def __init__(
        self,
        main: subprocess.Popen[bytes],
        outputs: tuple[IO[bytes], IO[bytes]],
        timing: Timing,
        show: Callable[[Event | None], None],
        limit: float,
    ) -> None:
        self.reader = Reader()
        self._main, self._outputs, self._timing, self._show = main, outputs, timing, show
        self._start = self._heard = time.monotonic()
        self._limit = limit

    def read_on(self, seconds: float = LOOK) -> None:
        """Read what the log holds by now and show it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and (data := self._outputs[0].read(1 << 20)):
            for event in self.reader.feed(data):
                self._heard = began = time.monotonic()
                self._show(event)
                until += time.monotonic() - began  # a paused terminal takes nothing from it

    def until_end(self, stop: StopRequest) -> Ended:
        """Why the run is over: it ended, or one of the loop's reasons to end it."""
        reaped = time.monotonic()
        while True:
            gone = self._main.poll() is not None
            self.read_on()
            if gone:
                return "itself"
            if reason := self._reason(stop):
                return reason
            self._show(None)
            if time.monotonic() - reaped > 1:  # adopted orphans must not pile up as zombies
                processes.reap(self._main)
                reaped = time.monotonic()
            time.sleep(self._timing.tick)

    def _reason(self, stop: StopRequest) -> Ended | None:
        now, facts = time.monotonic(), self.reader.facts
        if stop.now:
            return "stopped"
        if now - self._start > self._limit:
            return "timeout"
        if not facts.started and now - self._start > self._timing.init_grace:
            return "no_init"
        if facts.finished and now - self._heard > self._timing.result_grace:
            return "after_result"
        if sum(os.fstat(file.fileno()).st_size for file in self._outputs) > MAX_OUTPUT:
            return "flood"
        return "auth" if facts.auth_retries >= AUTH_RETRIES else None
