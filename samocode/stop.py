"""The person's wish to stop, as signals of the operating system tell it."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType
from typing import final


@final
class StopRequest:
    """Ctrl-C once: after this iteration; twice, SIGTERM or SIGHUP: now. While nothing runs, any of
    them: at once."""

    def __init__(self) -> None:
        self.requested = False
        self.now = False
        self.exit_code = 130

    def install(self) -> None:
        """Take over SIGINT, SIGTERM and SIGHUP of this process. One that was ignored (nohup) stays
        so."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            self.now = self.requested
            if not self.now:  # a plain write: print is not safe in a signal handler
                with contextlib.suppress(OSError):
                    os.write(2, b"\nStopping after this iteration; Ctrl-C again: now.\n")
        else:
            self.now = True
            self.exit_code = 143
        self.requested = True
