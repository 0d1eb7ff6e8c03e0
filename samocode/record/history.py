"""`_history.jsonl`: the append-only record of a session, and its SessionState."""

from __future__ import annotations

import json
import os
import sys
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
    """The history file and the state folded from it. Only `append` adds lines."""

    def __init__(self, path: Path, now: Callable[[], datetime] = local_now) -> None:
        self.path = path
        self.state = SessionState()
        self._now = now
        self._size = 0  # bytes of the lines that were read or appended
        self._copy: int | None = None  # descriptor of our own copy, which a child cannot reach
        self._mark: files.Stamp | None = None  # stamp of the file after the last append

    def load(self, repair: bool = True) -> History:
        """Read the file. UserError if it is unreadable, damaged or of another version. A partial
        last line, left by a killed write, is moved to another file if `repair`, else skipped."""
        self.state, self._size = SessionState(), 0
        try:
            for line in self._lines():
                if not line.endswith(b"\n"):
                    self._end(line, repair)
                    break
                self._fold(line)
        except files.Unreadable as error:
            raise UserError(
                f"{self.path.parent}: {error}: restore the history, then run again."
            ) from error
        if self.state.started and self.state.version != VERSION:
            raise UserError(
                f"{self.path.parent} was made by another version of Samocode: begin a new session."
            )
        if repair:
            self._copy_again()
        self._mark = files.stamp(self.path)
        return self

    def _lines(self) -> Iterator[bytes]:
        if file := files.opened(self.path, MAX_HISTORY_BYTES):
            with file:
                yield from file

    def _end(self, last: bytes, repair: bool) -> None:
        """Handle a last line without a newline. An editor may have removed only the newline."""
        try:
            self._fold(last)
        except UserError:
            if repair:
                files.append(self.path.with_name(FILE + ".torn"), last + b"\n")
                os.truncate(self.path, self._size)
        else:
            self._size += 1
            if repair:
                files.append(self.path, b"\n")

    def _copy_again(self) -> None:
        self._copy = files.unlinked_copy(self.path, MAX_HISTORY_BYTES)
        weakref.finalize(self, os.close, self._copy)

    def restore(self) -> bool:
        """Restore the file if another process changed it, and keep the changed version. Return
        whether the content had changed."""
        if self._copy is None or files.stamp(self.path) == self._mark:
            return False
        data = os.pread(self._copy, self._size, 0)
        changed = files.read_any(self.path) != data
        if changed:
            files.keep(self.path)
            files.write(self.path, data)
        self._mark = files.stamp(self.path)
        return changed

    def follow(self) -> Iterator[Line]:
        """Yield each line that another process appended since `load`, once it is applied."""
        if file := files.opened(self.path, MAX_HISTORY_BYTES):
            with file:
                file.seek(self._size)
                data = file.read()
            for line in data.split(b"\n")[:-1]:
                yield self._fold(line + b"\n")

    def lines(self) -> Iterator[Line]:
        """Yield each complete line of the file as a mapping."""
        for line in self._lines():
            if line.endswith(b"\n"):
                yield mapping(parse(line))

    def at(self, number: int) -> SessionState:
        """Return the state after the first `number` lines."""
        state = SessionState()
        for line in islice(self.lines(), number):
            fold(state, line)
        return state

    def append(self, event: str, **values: object) -> Line:
        """Append one line, fsync, apply it to the state, and return it. Values that are None are
        left out. If another program changed the file since the last line, it is restored first."""
        if self.restore():
            print(f"samocode: another program changed {self.path}: restored", file=sys.stderr)
        line: dict[str, object] = {"t": self._now().isoformat(timespec="seconds"), "event": event}
        line |= {key: value for key, value in values.items() if value is not None}
        data = json.dumps(line, ensure_ascii=True).encode() + b"\n"
        files.append(self.path, data)
        fold(self.state, line)
        self._size += len(data)
        if self._copy is not None:
            try:
                files.write_whole(self._copy, data, self.path)
            except OSError:  # /tmp is full
                self._copy_again()
        self._mark = files.stamp(self.path)
        return line

    def _fold(self, line: bytes) -> Line:
        """Apply one line of the file."""
        found = mapping(parse(line))
        try:
            fold(self.state, {"event": found["event"], **found})
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError(
                f"{self.path} line {self.state.lines + 1} is damaged ({error!r}): repair or remove "
                "that line, then run again."
            ) from error
        self._size += len(line)
        return found
