"""Prints lines. On a terminal, one block below them changes in place: the moving line or a
prompt."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from typing import TextIO, final

from samocode.show.columns import Layout, layout, printable, width

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
"""Styles of `Screen.print`, as SGR has them."""
PIPED = 110  # columns of a line that is clipped where there is no terminal
LEAST, MOST = 20, 200  # columns; a terminal that does not know its size says 0
BRACKETS = ("\x1b[?2004l", "\x1b[?2004h")
MOST_ROWS = 12  # of the block


@final
class Screen:
    """Prints to `out`. A closed pipe never stops the loop. The cursor stays in the block, so that
    the next line is printed over it."""

    def __init__(self, out: TextIO, environ: Mapping[str, str], shared: bool = False) -> None:
        """`shared`: others print on this terminal, so the block is drawn again at each call."""
        self._out, self._shared = out, shared
        self._lock = threading.RLock()  # Telegram's thread prints too
        self.moves = out.isatty() and environ.get("TERM", "") not in ("", "dumb")
        """Whether a block can be shown: on a terminal."""
        self._colours = self.moves and not environ.get("NO_COLOR")
        self._block: tuple[str, int] | None = None
        self._shown = Layout((), 0, 0)
        self._size = 0, 0

    @property
    def shown(self) -> str:
        """The text of the block; empty where there is none."""
        return self._block[0] if self._block else ""

    @property
    def columns(self) -> int:
        """How wide a line may be."""
        if not self.moves:
            return PIPED
        return min(max(self._measured()[0], LEAST), MOST) - 1

    @property
    def here(self) -> bool:
        """Whether a block may be shown now: a job in the background would write over what the
        person types into the shell."""
        if not self.moves:
            return False
        try:
            return os.tcgetpgrp(self._out.fileno()) == os.getpgrp()
        except OSError:  # it is not the controlling terminal
            return True

    @property
    def rows(self) -> int:
        """How high the terminal is."""
        return self._measured()[1]

    def print(self, text: str, style: str = "") -> None:
        """Print lines. Control characters are replaced. `style` is an SGR code, such as RED."""
        lines = printable(text)
        if style and self._colours:
            lines = "\n".join(f"\x1b[{style}m{line}\x1b[0m" for line in lines.split("\n"))
        with self._lock:
            self._put(self._erase() + lines + "\n" + self._draw())

    def block(self, text: str, cursor: int = 0) -> None:
        """Show text below the lines, with the cursor before character number `cursor`. Do nothing
        where no block can be shown."""
        with self._lock:
            if not self.here:
                self._block = None
            elif (text, cursor) != self._block or self._size != self._measured() or self._shared:
                erased = self._erase()
                self._block = (text, cursor)
                self._put(erased + self._draw())

    def unblock(self) -> None:
        """Remove the block."""
        with self._lock:
            if self._block:
                self._put(self._erase())
                self._block = None

    def leave(self) -> None:
        """Leave the text of the block on the screen as a line, and forget it."""
        with self._lock:
            if self._block:
                down = len(self._shown.rows) - 1 - self._shown.row
                self._put((f"\x1b[{down}B" if down else "") + "\r\n")
                self._block = None

    def begin(self, text: str) -> None:
        """Print the beginning of a line that a person completes, where no block can be shown."""
        with self._lock:
            self._put(printable(text))

    def brackets(self, on: bool) -> None:
        """Ask the terminal to mark where a paste begins and ends, or not to."""
        with self._lock:
            if self.moves:
                self._put(BRACKETS[on])

    def _measured(self) -> tuple[int, int]:
        try:
            columns, rows = os.get_terminal_size(self._out.fileno())
        except OSError:
            columns, rows = 0, 0
        return columns or 80, rows or 24

    def _erase(self) -> str:
        """Go to the beginning of the block and clear from there. A terminal that became narrower
        has wrapped its rows."""
        if not self._block:
            return ""
        wide, shown = max(self._measured()[0], 1), self._shown
        up = sum(max(1, -(-width(row) // wide)) for row in shown.rows[: shown.row])
        up += shown.column // wide
        return (f"\x1b[{up}A" if up else "") + "\r\x1b[J"

    def _draw(self) -> str:
        if not self._block:
            return ""
        self._size = self._measured()
        text, cursor = self._block
        whole = layout(printable(text), cursor, self.columns)
        most = min(MOST_ROWS, max(self.rows - 2, 1))
        first = min(max(0, whole.row - most + 1), max(0, len(whole.rows) - most))
        rows = whole.rows[first : first + most]
        self._shown = shown = Layout(rows, whole.row - first, whole.column)
        up, right = len(rows) - 1 - shown.row, shown.column
        back = (f"\x1b[{up}A" if up else "") + "\r" + (f"\x1b[{right}C" if right else "")
        return "\n".join(rows) + back

    def _put(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except OSError:  # nobody reads any more; Python must not fail on it at exit either
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())
