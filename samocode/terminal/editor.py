"""A text that a person edits, key by key, with the keys that shells have."""

from __future__ import annotations

import codecs
import re
from typing import final

PASTE, PASTED = "\x1b[200~", "\x1b[201~"  # what a terminal puts around a paste (bracketed paste)
KEY = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1bO.|\x1b[^\[O]|[^\x00-\x1f\x7f]+|[\s\S]", re.S)
HALF_A_MARK = re.compile(r"(\x1b[\[201]{0,4}|\r)\Z")  # of PASTED, or half a line end
HALF_A_KEY = re.compile(r"\x1b(\[[0-9;?]*|O)?\Z")
WORD = re.compile(r"\w+")
NAMES = {
    **dict.fromkeys(("\x1b[D", "\x1bOD", "\x02"), "left"),
    **dict.fromkeys(("\x1b[C", "\x1bOC", "\x06"), "right"),
    **dict.fromkeys(("\x1b[A", "\x1bOA", "\x10"), "up"),
    **dict.fromkeys(("\x1b[B", "\x1bOB", "\x0e"), "down"),
    **dict.fromkeys(("\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\x01"), "home"),
    **dict.fromkeys(("\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\x05"), "end"),
    **dict.fromkeys(("\x1b[1;5D", "\x1b[1;3D", "\x1bb"), "word left"),
    **dict.fromkeys(("\x1b[1;5C", "\x1b[1;3C", "\x1bf"), "word right"),
    **dict.fromkeys(("\x7f", "\x08"), "rub out"),
    **dict.fromkeys(("\x17", "\x1b\x7f", "\x1b\x08"), "rub out word"),
    **dict.fromkeys(("\r", "\n"), "enter"),
    **dict.fromkeys(("\x1b\r", "\x1b\n"), "new line"),
    **{"\x1b[3~": "delete", "\x1bd": "delete word", "\x0b": "cut end", "\x15": "cut start"},
    **{"\x19": "put back", "\x04": "end of input"},
}


@final
class Editor:
    """Holds `text` with a `cursor`; `feed` takes what was typed."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._cut = ""
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.text, self.cursor = "", 0
        self.entered = self.ended = False
        """Enter was pressed; Ctrl-D was pressed on an empty text."""
        self._pasting, self._rest = False, ""
        self._decoder.reset()

    def feed(self, data: bytes) -> None:
        """Take what was typed."""
        typed, self._rest = self._rest + self._decoder.decode(data), ""
        at = 0
        while at < len(typed):
            if self._pasting:
                at = self._paste(typed, at)
                continue
            if HALF_A_KEY.match(typed, at):
                self._rest = typed[at:]
                return
            key = KEY.match(typed, at)
            at = key.end() if key else at + 1
            self._press(key[0] if key else "")

    @property
    def escaped(self) -> bool:
        """Whether the last key was Esc, unless more of a longer key follows."""
        return self._rest == "\x1b" and not self._pasting

    def escape(self) -> None:
        """Ignore that Esc: nothing followed."""
        self._rest = ""

    def _paste(self, typed: str, at: int) -> int:
        """Insert a paste up to its end mark. Return where the typed keys continue."""
        end = typed.find(PASTED, at)
        if end < 0:
            half = HALF_A_MARK.search(typed, at)
            whole = half.start() if half else len(typed)
            self._rest = typed[whole:]
            self.insert(typed[at:whole])
            return len(typed)
        self.insert(typed[at:end])
        self._pasting = False
        return end + len(PASTED)

    def finish(self) -> None:
        """Remove the line ends around the text."""
        self.text = self.text.strip("\n")
        self.cursor = len(self.text)

    def insert(self, text: str) -> None:
        """Put text in at the cursor. Its line ends become \\n."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._replace(self.cursor, self.cursor, text)

    def _press(self, key: str) -> None:
        name = NAMES.get(key)
        if key == PASTE:
            self._pasting = True
        elif name == "enter":
            self._enter()
        elif name == "new line":
            self.insert("\n")
        elif name == "put back":
            self.insert(self._cut)
        elif name == "end of input" and not self.text:
            self.ended = True
        elif name in ("rub out word", "delete word", "cut end", "cut start"):
            start, end = sorted((self.cursor, self._to(name)))
            self._cut = self.text[start:end]
            self._replace(start, end, "")
        elif name in ("rub out", "delete", "end of input"):
            start, end = sorted((self.cursor, self._to(name)))
            self._replace(start, end, "")
        elif name:
            self.cursor = self._to(name)
        elif key == "\t" or (key and key[0] >= " " and key[0] != "\x7f"):
            self.insert(key)

    def _enter(self) -> None:
        """End the answer. A backslash at the end of a line starts a new line instead."""
        self.cursor = len(self.text)
        if self.text.endswith("\\") and not self.entered:
            self._replace(self.cursor - 1, self.cursor, "\n")
        else:
            self.insert("\n")
            self.entered = True

    def _replace(self, start: int, end: int, text: str) -> None:
        self.text = self.text[:start] + text + self.text[end:]
        self.cursor = start + len(text)

    def _to(self, name: str) -> int:
        """Return the position that a key moves the cursor to, or deletes up to."""
        text, cursor = self.text, self.cursor
        start = text.rfind("\n", 0, cursor) + 1
        end = found if (found := text.find("\n", cursor)) >= 0 else len(text)
        if name in ("word left", "rub out word"):
            begins = [word.start() for word in WORD.finditer(text, 0, cursor)]
            return begins[-1] if begins else 0
        if name in ("word right", "delete word"):
            word = WORD.search(text, cursor)
            return word.end() if word else len(text)
        if name in ("up", "down"):
            return self._line(cursor - start, start, end, name)
        to = {
            "left": cursor - 1, "right": cursor + 1, "rub out": cursor - 1, "delete": cursor + 1,
            "end of input": cursor + 1, "home": start, "end": end, "cut start": start,
            "cut end": end if end > cursor else end + 1,
        }  # fmt: skip
        return min(max(to[name], 0), len(text))

    def _line(self, column: int, start: int, end: int, name: str) -> int:
        """The same column in the line above or below."""
        if name == "up":
            above = self.text.rfind("\n", 0, max(start - 1, 0)) + 1
            return min(above + column, start - 1) if start else self.cursor
        if end == len(self.text):
            return self.cursor
        below = found if (found := self.text.find("\n", end + 1)) >= 0 else len(self.text)
        return min(end + 1 + column, below)
