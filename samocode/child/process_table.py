"""List the system's processes with their parents, and whether they carry a tag."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A living process. str() gives the text for a report."""

    pid: int
    parent: int
    command: str
    tagged: bool = False
    """Whether the searched entry is in its environment."""

    def __str__(self) -> str:
        return f"{self.pid} {self.command}"


def has_proc() -> bool:
    """Whether /proc exists. macOS has none and needs ps(1)."""
    return Path("/proc/self/stat").exists()


def read(entry: str = "") -> Iterator[Process]:
    """Yield every living process. `entry` is the NAME=VALUE to search for in its environment."""
    return _proc(entry) if has_proc() else _ps(entry)


def _proc(entry: str) -> Iterator[Process]:
    """Newest first, read one at a time: a process that forks in a loop lives only briefly."""
    wanted = b"\0" + os.fsencode(entry) + b"\0"
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names
    for pid in sorted(pids, reverse=True):
        try:
            head, _, rest = _content(f"/proc/{pid}/stat").decode(errors="replace").rpartition(")")
            environ = _content(f"/proc/{pid}/environ") if entry else b""
        except OSError:  # it has ended, or is another user's
            continue
        state, parent = rest.split()[:2]
        if state not in "ZX":
            command = head.partition("(")[2]
            yield Process(pid, int(parent), command, wanted in b"\0" + environ)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - creating a Path costs more than reading
        return file.read()


def _ps(entry: str) -> Iterator[Process]:
    """Parse ps(1). It joins arguments and environment in one text, on macOS only for own processes.
    An entry ends at the next variable or at the end of the line."""
    wanted = re.compile(rf" {re.escape(entry)}(?= [A-Za-z_]\w*=|$)")
    answer = subprocess.run(
        ["ps", "-A", "-E", "-ww", "-o", "pid=,ppid=,state=,command="],
        capture_output=True, text=True, errors="surrogateescape", check=False,
    )  # fmt: skip
    for line in answer.stdout.split("\n"):
        pid, parent, state, text = [*line.split(None, 3), *[""] * 4][:4]
        if pid.isdigit() and parent.isdigit() and not state.startswith("Z"):
            tagged = bool(entry) and wanted.search(f" {text.rstrip()}") is not None
            yield Process(int(pid), int(parent), Path(text.split(" ", 1)[0]).name, tagged)
