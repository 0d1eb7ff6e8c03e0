"""Stop requests that arrive as signals of the operating system."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from types import FrameType
from typing import final

from samocode.record.exits import ExitCode, Stop

STEP = 0.5  # seconds between two looks at the clock


@final
class Shutdown:
    """Ctrl-C once: after this iteration; twice, SIGTERM or SIGHUP: now. While nothing runs, any of
    them: at once."""

    def __init__(self) -> None:
        self.requested = False
        self.now = False
        self.code = ExitCode.INTERRUPTED

    @property
    def stop(self) -> Stop | None:
        """The Stop that was asked for, None when none was."""
        if not self.requested:
            return None
        who = "you" if self.code == ExitCode.INTERRUPTED else "a signal"
        return Stop(self.code, f"Stopped by {who}.")

    def install(self) -> None:
        """Take over SIGINT, SIGTERM and SIGHUP of this process. One that was ignored (nohup) stays
        so."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def sleep(self, seconds: float, until: float | None = None) -> None:
        """Sleep until a stop is asked for, or it is `until` by the wall clock: the monotonic clock
        stands still while a machine is suspended."""
        ends = time.monotonic() + seconds
        while not self.requested and time.monotonic() < ends:
            if until is not None and time.time() >= until:
                return
            time.sleep(min(STEP, seconds))

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            self.now = self.requested
            if not self.now:  # a plain write: print is not safe in a signal handler
                with contextlib.suppress(OSError):
                    os.write(2, b"\nStopping after this iteration; Ctrl-C again: now.\n")
        else:
            self.now = True
            self.code = ExitCode.TERMINATED
        self.requested = True
