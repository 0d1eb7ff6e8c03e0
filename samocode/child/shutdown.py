"""Stop requests that arrive as signals of the operating system."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import time
from collections.abc import Mapping
from types import FrameType
from typing import final

from samocode.record.exits import ExitCode, Stop

STEP = 0.5  # seconds between two looks at the clock
ASK = signal.SIGUSR1  # sent by --stop
WORDS: Mapping[int, bytes] = {
    ASK: b"\nAsked by --stop: stopping once no iteration runs; Ctrl-C: now.\n",
    signal.SIGINT: b"\nStopping once no iteration runs; Ctrl-C again: now.\n",
}


@final
class Shutdown:
    """Ctrl-C once, or --stop (SIGUSR1): after this iteration; Ctrl-C after that, SIGTERM or SIGHUP:
    now. While nothing runs, any of them: at once."""

    def __init__(self) -> None:
        self.requested = False
        self.now = False
        self.code = ExitCode.INTERRUPTED
        self._by = "a signal"
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)

    @property
    def stop(self) -> Stop | None:
        """The Stop that was asked for, None when none was."""
        if not self.requested:
            return None
        return Stop(self.code, f"Stopped by {self._by}.", seen=self._by == "you")

    def install(self) -> None:
        """Take over these signals of this process. One that was ignored (nohup) stays so, but for
        --stop."""
        for number in (ASK, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == ASK or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
                # Python takes its handlers away before it ends: one more Ctrl-C would kill it then.
                atexit.register(signal.signal, number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, _ignore)  # a signal without a handler wakes nobody
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)

    def wait(self, seconds: float) -> None:
        """Wait until a signal arrives, the end of a child included, or the seconds are over."""
        if select.select([self._woken], [], [], seconds)[0]:
            os.read(self._woken, 1 << 16)

    def sleep(self, seconds: float, until: float | None = None) -> None:
        """Sleep until a stop is asked for, or it is `until` by the wall clock: the monotonic clock
        stands still while a machine is suspended."""
        ends = time.monotonic() + seconds
        while not self.requested and (left := ends - time.monotonic()) > 0:
            if until is not None and time.time() >= until:
                return
            self.wait(min(STEP, left))

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        again, self.requested = self.requested, True
        if number not in (ASK, signal.SIGINT):
            self.now, self.code, self._by = True, ExitCode.TERMINATED, "a signal"
        elif not again:
            self._by = "--stop" if number == ASK else "you"
            with contextlib.suppress(OSError):  # a plain write: print is not safe here
                os.write(2, WORDS[number])
        elif number == signal.SIGINT:
            self.now = True


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """A handler that does nothing."""
