"""Changes the settings of a terminal while a person types, and restores them on every exit."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from collections.abc import Callable
from types import FrameType
from typing import Any, final

LINES = termios.ICANON | termios.ECHO | termios.ISIG
LOCAL, CONTROLS = 3, 6  # places in what tcgetattr returns


@final
class Mode:
    """Input key by key, since the kernel cuts a line at 4,095 bytes. Ctrl-C, Ctrl-Z and Ctrl-\\
    still send signals."""

    def __init__(self, descriptor: int, echo: bool, brackets: Callable[[bool], None]) -> None:
        """`echo`: the kernel shows what is typed, for a screen that cannot. `brackets` asks the
        terminal to mark pastes."""
        self._descriptor, self._echo, self._brackets = descriptor, echo, brackets
        self._before: list[Any] | None = None
        self._ours: list[Any] = []

    def enter(self) -> bool:
        """Change the settings, and drop what was typed before. Return False if nothing was
        changed: they are set already, or the terminal is gone."""
        try:
            found = termios.tcgetattr(self._descriptor)
            if self._before is not None and found[LOCAL] == self._ours[LOCAL]:
                return False
            if self._before is None:
                self._before = [*found]
                self._before[LOCAL] |= LINES  # a killed loop may have left them off
            ours: list[Any] = [*self._before[:CONTROLS], [*self._before[CONTROLS]]]
            ours[LOCAL] &= ~(termios.ICANON if self._echo else termios.ICANON | termios.ECHO)
            ours[CONTROLS][termios.VMIN], ours[CONTROLS][termios.VTIME] = 1, 0
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, ours)
            self._ours = termios.tcgetattr(self._descriptor)
        except termios.error:  # the terminal is gone; reading says so
            return False
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, self._suspended)
        self._brackets(True)
        return True

    def leave(self) -> None:
        """Restore the settings."""
        if self._before is None:
            return
        before, self._before = self._before, None
        if signal.getsignal(signal.SIGTSTP) == self._suspended:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        self._brackets(False)
        if in_foreground(self._descriptor):
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSANOW, before)

    def flush(self) -> None:
        """Drop what was typed and not read yet."""
        if in_foreground(self._descriptor):
            with contextlib.suppress(termios.error):
                termios.tcflush(self._descriptor, termios.TCIFLUSH)

    def _suspended(self, number: int, _frame: FrameType | None) -> None:
        """Ctrl-Z: restore the settings, then stop as by default. The kernel does not stop a process
        of an orphaned group, since no shell could wake it."""
        self.leave()
        os.kill(os.getpid(), number)


def in_foreground(terminal: int) -> bool:
    """Whether this process may read from the terminal. In the background, a read would stop the
    whole loop (SIGTTIN)."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
