"""Read answers typed at the terminal, one line each."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
from collections.abc import Callable
from typing import final

PASTE = 0.2  # seconds without input after which a paste is complete


@final
class TypedAnswers:
    """Prompts for one question at a time and returns whole lines."""

    def __init__(self, descriptor: int, prompt: Callable[[str], None], poll: float) -> None:
        """`prompt` prints the start of a line; `poll` is the longest wait in seconds."""
        self._descriptor, self._prompt, self._poll = descriptor, prompt, poll
        self._open = True
        self._prompted = 0  # the question that the prompt shows
        self._typed = b""

    def ask(self, number: int, hint: str) -> str | None:
        """Return a line typed for this question. None if none came within `poll` seconds, or the
        loop runs in the background."""
        if not self._open or not _in_foreground(self._descriptor):
            time.sleep(self._poll)
            return None
        if self._prompted != number:
            self._prompted = number
            self._prompt(f"Your answer to Q{number} [{hint}]: ")
        line = self._line()
        if line is not None:
            self._prompted = 0
        return line

    def forget(self) -> None:
        """Discard input typed before the questions were shown."""
        self._typed = b""
        if self._open and _in_foreground(self._descriptor):
            with contextlib.suppress(termios.error):
                termios.tcflush(self._descriptor, termios.TCIFLUSH)

    def _line(self) -> str | None:
        ready, _, _ = select.select([self._descriptor], [], [], self._poll)
        if ready:
            data = os.read(self._descriptor, 65536)
            self._open = bool(data)  # at end of input, the file is still watched
            self._typed += data
        if b"\n" not in self._typed:
            return None
        typed, self._typed = self._typed + _pasted(self._descriptor), b""
        return typed.decode("utf-8", "replace").replace("\r", "").strip("\n")


def _pasted(terminal: int) -> bytes:
    """Read the rest of a paste, which belongs to the same answer ("yes" and then "but ..."). In
    canonical mode the terminal would withhold a last line without Enter."""
    more = b""
    with contextlib.suppress(termios.error):
        found = termios.tcgetattr(terminal)
        eager = [*found[:3], found[3] & ~termios.ICANON, *found[4:]]
        termios.tcsetattr(terminal, termios.TCSANOW, eager)
        try:
            while select.select([terminal], [], [], PASTE)[0] and (
                data := os.read(terminal, 65536)
            ):
                more += data
        finally:
            termios.tcsetattr(terminal, termios.TCSANOW, found)
    return more


def _in_foreground(terminal: int) -> bool:
    """Whether the loop may read. In the background, SIGTTIN would stop it."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
