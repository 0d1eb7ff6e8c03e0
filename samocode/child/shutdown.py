"""Stop requests by signals: SIGINT, SIGTERM, SIGHUP."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import final

from samocode.record.exits import ExitCode, Stop

STEP = 0.5  # seconds between checks of the clock
ASK = signal.SIGUSR1  # sent by --stop
WORDS: Mapping[int, bytes] = {
    ASK: b"Stop requested by %b. A running iteration ends first; Ctrl-C stops now.\n",
    signal.SIGINT: b"Stopping. A running iteration ends first; Ctrl-C again stops now.\n",
}


@final
class Shutdown:
    """The first Ctrl-C or --stop (SIGUSR1) stops after this iteration; another Ctrl-C, SIGTERM or
    SIGHUP at once. If no iteration runs, each of them stops at once."""

    def __init__(self) -> None:
        self.requested = False
        self.now = False
        self.code = ExitCode.INTERRUPTED
        self.tick: Callable[[], None] = lambda: None
        """Called each time `wait` returns, to update the live view."""
        self.fresh = b"\n"
        """Begins a new line on the screen."""
        self.signals = 0
        """Number of signals received."""
        self._by, self._asker = "a signal", "--stop"
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)

    @property
    def stop(self) -> Stop | None:
        """The requested Stop, if any."""
        if not self.requested:
            return None
        return Stop(self.code, f"Stopped by {self._by}.", seen=self._by == "you")

    def install(self) -> None:
        """Handle these signals. One that was ignored (nohup) stays ignored, except ASK."""
        for number in (ASK, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == ASK or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
                # Python removes its handlers before it exits, so a late Ctrl-C would kill it.
                atexit.register(signal.signal, number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, _ignore)  # SIGCHLD wakes `wait` only if it has a handler
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)

    def ask(self, asker: str) -> None:
        """Do what --stop does, for `asker`. Another thread may call it."""
        self._asker = asker
        os.kill(os.getpid(), ASK)

    def wait(self, seconds: float) -> None:
        """Wait for `seconds`, or less if a signal arrives or a child ends."""
        if select.select([self._woken], [], [], seconds)[0]:
            os.read(self._woken, 1 << 16)
        self.tick()

    def sleep(self, seconds: float, until: float | None = None) -> None:
        """Sleep until a stop is requested or the time is over. `until` is epoch seconds, because
        the monotonic clock stops while the machine is suspended."""
        ends = time.monotonic() + seconds
        while not self.requested and (left := ends - time.monotonic()) > 0:
            if until is not None and time.time() >= until:
                return
            self.wait(min(STEP, left))

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        again, self.requested = self.requested, True
        self.signals += 1
        if number not in (ASK, signal.SIGINT):
            self.now, self.code, self._by = True, ExitCode.TERMINATED, "a signal"
        elif not again:
            self._by = self._asker if number == ASK else "you"
            with contextlib.suppress(OSError):  # print is not safe in a signal handler
                os.write(2, self.fresh + WORDS[number].replace(b"%b", self._by.encode()))
        elif number == signal.SIGINT:
            self.now = True


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing."""
