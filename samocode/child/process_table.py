"""The system's table of processes: what lives, whose child it is, and whether it carries a mark in
its environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LINUX = sys.platform == "linux"
PID_SPAN = 1 << 22  # above every process number there is


@dataclass(frozen=True)
class Row:
    """One living or dead process."""

    pid: int
    parent: int
    group: int
    zombie: bool
    name: str
    marked: bool = False
    """The wanted entry stands in its environment."""
    ending: bool = False
    """It has neither arguments nor environment any more."""


def read(entry: str = "") -> Iterator[Row]:
    """Every process; `entry` is the NAME=VALUE to look for in its environment."""
    if not LINUX:
        yield from ps_rows(entry)
        return
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names
    for pid in newest_first(pids, _last_pid()):
        if row := proc_row(pid, entry):
            yield row


def newest_first(pids: Iterable[int], last: int) -> list[int]:
    """By age, given the number that was given out last: the newest are gone soonest. Numbers begin
    again from below when they reach the top."""
    return sorted(pids, key=lambda pid: (last - pid) % PID_SPAN)


def proc_row(pid: int, entry: str = "") -> Row | None:
    """A process by /proc; None when it is gone."""
    place = Path(f"/proc/{pid}")
    try:
        head, _, rest = (place / "stat").read_text(errors="replace").rpartition(")")
        state, parent, group = rest.split()[:3]
        zombie = state in "ZX"
        environ = _environment(place) if entry and not zombie else None
        ending = environ == b"" and (place / "cmdline").read_bytes() == b""
    except OSError:
        return None
    wanted = entry.encode("utf-8", "surrogateescape")
    marked = wanted in environ.split(b"\0") if environ else False
    return Row(pid, int(parent), int(group), zombie, head.partition("(")[2], marked, ending)


def ps_rows(entry: str = "") -> Iterator[Row]:
    """The table by ps(1), which shows arguments and environment as one text (macOS: our own
    processes' only). The entry ends where the next variable begins, or the text."""
    wanted = re.compile(rf" {re.escape(entry)}(?= [A-Za-z_]\w*=|$)")
    answer = subprocess.run(
        ["ps", "-A", "-E", "-ww", "-o", "pid=,ppid=,pgid=,state=,command="],
        capture_output=True, text=True, errors="surrogateescape", check=False,
    )  # fmt: skip
    for line in answer.stdout.split("\n"):
        pid, parent, group, state, text = [*line.split(None, 4), *[""] * 5][:5]
        if pid.isdigit() and parent.isdigit() and group.isdigit():
            marked = bool(entry) and wanted.search(f" {text.rstrip()}") is not None
            name = Path(text.split(" ", 1)[0]).name
            yield Row(int(pid), int(parent), int(group), state.startswith("Z"), name, marked)


def _environment(place: Path) -> bytes | None:
    """What a process got at its start; None for other people's processes. OSError when it is
    gone."""
    try:
        return (place / "environ").read_bytes()
    except PermissionError:
        return None


def _last_pid() -> int:
    """The process number that was given out last."""
    try:
        return int(Path("/proc/loadavg").read_text().split()[-1])
    except (OSError, ValueError, IndexError):
        return PID_SPAN - 1
