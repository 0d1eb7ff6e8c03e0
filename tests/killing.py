"""How the loop is killed: at a moment by the clock, after a file system event, before a line of its
code."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, final

from tests.harness import ROOT

How = Literal["time", "event", "line"]
HOWS: tuple[How, ...] = ("time", "event", "line")
SPAN = 2.5  # seconds after a start within which a kill by the clock falls
EVENTS = 90  # file system events after a start, likewise
LINE_SPAN = 4.0  # seconds for the chosen line to come
PATIENCE = 120.0  # seconds without an end: it hangs
DYING = ROOT / "tests" / "fakes" / "dying_loop.py"


@final
class Events:
    """Counts what happens in the session's folders (inotify: create, write, rename, delete)."""

    MASK = 0x2 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200

    def __init__(self, top: Path) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = int(self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self.top = top
        self.seen = 0
        self.look_around()

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def look_around(self) -> None:
        """Watch every folder there is by now; one that is watched stays so, and one that is gone
        again (a new session's, renamed into place) is passed over."""
        for path in [self.top, *(Path(place) for place, _, _ in os.walk(self.top / "sessions"))]:
            self.libc.inotify_add_watch(self.fd, os.fsencode(path), self.MASK)

    def count(self) -> int:
        """All events so far."""
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return self.seen
        while data:
            (length,) = struct.unpack_from("I", data, 12)
            data = data[16 + length :]
            self.seen += 1
        self.look_around()
        return self.seen


@final
class Death:
    """How the loop is killed, each time anew, in one of these ways."""

    def __init__(self, hows: Sequence[How], dice: random.Random, lines: list[str]) -> None:
        self.hows, self.dice, self.lines = hows, dice, lines
        self.how: How = "time"
        self.place = ""

    def environ(self) -> dict[str, str]:
        """What the loop is told of its next death."""
        self.how, self.place = self.dice.choice(self.hows), ""
        if self.how != "line":
            return {}
        self.place = self.lines.pop()
        return {"DIE_BEFORE": f"{self.place}:{self.dice.choice((1, 1, 1, 2, 3, 5, 12))}"}

    def strike(self, loop: subprocess.Popen[bytes], top: Path) -> None:
        """Kill the loop at the moment that the dice choose, unless it ends before."""
        if self.how == "time":
            wait(loop, self.dice.uniform(0, SPAN))
        elif self.how == "event":
            last = self.dice.randint(1, EVENTS)
            until = time.monotonic() + PATIENCE
            with Events(top) as events:
                while events.count() < last and loop.poll() is None and time.monotonic() < until:
                    time.sleep(0.0002)
        else:
            wait(loop, LINE_SPAN)
            if loop.poll() is None:  # that line did not come: another time
                self.lines.insert(0, self.place)
                self.place = ""
        loop.kill()


def wait(loop: subprocess.Popen[bytes], seconds: float) -> None:
    """Until the loop ends, or these seconds are over."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        loop.wait(seconds)


def marked(folder: Path) -> Iterator[str]:
    """The living processes that carry the mark of a session below `folder`."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environ = (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"SAMOCODE_RUN={folder}/".encode() in environ and state not in "ZX":
            yield f"{entry.name} {(entry / 'cmdline').read_bytes().replace(bytes(1), b' ')!r}"
