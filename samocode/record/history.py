"""`_history.jsonl`: the append-only record of a session, and its SessionState."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import final

from samocode.record import files
from samocode.record.exits import UserError
from samocode.record.fold import Line, fold
from samocode.record.state import SessionState
from samocode.record.untrusted import mapping, parse

FILE = "_history.jsonl"
VERSION = 2  # version of the line format
MAX_HISTORY_BYTES = 256 << 20


def local_now() -> datetime:
    """The local time with its zone."""
    return datetime.now().astimezone()


@final
class History:
    """The history file and the state folded from it. `append` is the only way to change either."""

    def __init__(self, path: Path, now: Callable[[], datetime] = local_now) -> None:
        self.path = path
        self.state = SessionState()
        self._now = now
        self._copy: int | None = None  # descriptor of a private copy that a child cannot reach
        self._mark: files.Stamp | None = None  # stamp of the file after the last append
        self._read = 0  # bytes of the lines that `load` and `follow` read

    def load(self, repair: bool = True) -> History:
        """Read the file. UserError if it is unreadable, damaged or of another version. A partial
        last line, left by a killed write, is moved to another file if `repair`, else skipped."""
        self.state, number, last = SessionState(), 0, b""
        try:
            for number, line in enumerate(self._lines(), 1):
                if not line.endswith(b"\n"):
                    last = line
                    break
                self._fold(line, number)
                self._read += len(line)
        except files.Unreadable as error:
            raise UserError(
                f"{self.path.parent}: {error}: put the history back to go on."
            ) from error
        if last:
            self._end(last, number, repair)
        if self.state.started and self.state.version != VERSION:
            raise UserError(
                f"{self.path.parent} was made by another version of Samocode: begin a new session."
            )
        if repair:
            self._copy = files.unnamed_copy(self.path, MAX_HISTORY_BYTES)
            weakref.finalize(self, os.close, self._copy)
            self._mark = files.stamp(self.path)
        return self

    def restore(self) -> bool:
        """Restore the file if it changed, and keep the changed one. Return whether it did."""
        if self._copy is None or files.stamp(self.path) == self._mark:
            return False
        data = os.pread(self._copy, os.fstat(self._copy).st_size, 0)
        changed = files.read_any(self.path) != data
        if changed:
            files.keep(self.path)
            files.write_bytes(self.path, data)
        self._mark = files.stamp(self.path)
        return changed

    def _lines(self) -> Iterator[bytes]:
        if file := files.opened(self.path, MAX_HISTORY_BYTES):
            with file:
                yield from file

    def _end(self, last: bytes, number: int, repair: bool) -> None:
        """Handle a last line without a newline. An editor may have removed only the newline."""
        try:
            self._fold(last, number)
        except UserError:
            if repair:
                files.append(self.path.with_name(FILE + ".torn"), last + b"\n")
                os.truncate(self.path, self.path.stat().st_size - len(last))
            return
        if repair:
            files.append(self.path, b"\n")

    def follow(self) -> Iterator[Line]:
        """Yield each line that another process appended since `load`, once it is applied."""
        file, data = files.opened(self.path, MAX_HISTORY_BYTES), b""
        if file:
            with file:
                file.seek(self._read)
                data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in filter(None, whole.split(b"\n")):
            yield self._fold(line, self.state.lines + 1)

    def lines(self) -> Iterator[Line]:
        """Yield each complete line of the file as a mapping, without folding it."""
        for line in self._lines():
            if line.endswith(b"\n"):
                yield mapping(parse(line))

    def at(self, number: int) -> SessionState:
        """Return the state after the first `number` lines."""
        state = SessionState()
        for line in islice(self._lines(), number):
            fold(state, mapping(parse(line)))
        return state

    def append(self, event: str, **values: object) -> Line:
        """Append one line, fsync, apply it to the state, and return it. Values that are None are
        left out."""
        line: dict[str, object] = {"t": self._now().isoformat(timespec="seconds"), "event": event}
        line |= {key: value for key, value in values.items() if value is not None}
        data = json.dumps(line, ensure_ascii=True).encode() + b"\n"
        files.append(self.path, data)
        fold(self.state, line)
        if self._copy is not None:
            os.write(self._copy, data)
            self._mark = files.stamp(self.path)
        return line

    def _fold(self, line: bytes, number: int) -> Line:
        found = mapping(parse(line))
        try:
            fold(self.state, {"event": found["event"], **found})
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{self.path} line {number} is damaged ({error!r}): repair or remove that line, "
                "then run again."
            ) from error
        return found
