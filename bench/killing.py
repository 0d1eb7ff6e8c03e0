"""How the loop is killed: at a moment by the clock, or before a line of its code."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, final

from tests.outer.stage import ROOT

How = Literal["time", "line"]
HOWS: tuple[How, ...] = ("time", "line")
SPAN = 2.5  # seconds after a start within which a kill by the clock falls
LINE_SPAN = 4.0  # seconds for the chosen line to come
PATIENCE = 120.0  # seconds without an end: it hangs
DYING = ROOT / "bench" / "dying_loop.py"


@final
class Death:
    """How the loop is killed, each time anew, in one of these ways."""

    def __init__(self, hows: Sequence[How], dice: random.Random, lines: list[str]) -> None:
        self.hows, self.dice, self.lines = hows, dice, lines
        self.how: How = "time"
        self.place = ""

    def environ(self) -> dict[str, str]:
        """The variables that tell the loop of its next death."""
        self.how, self.place = self.dice.choice(self.hows), ""
        if self.how != "line":
            return {}
        self.place = self.lines.pop()
        return {"DIE_BEFORE": f"{self.place}:{self.dice.choice((1, 1, 1, 2, 3, 5, 12))}"}

    def strike(self, loop: subprocess.Popen[bytes]) -> None:
        """Kill the loop at the moment that was chosen, unless it ends before."""
        if self.how == "time":
            wait(loop, self.dice.uniform(0, SPAN))
        else:
            wait(loop, LINE_SPAN)
            if loop.poll() is None:  # the line was not reached: try it again later
                self.lines.insert(0, self.place)
                self.place = ""
        loop.kill()


def wait(loop: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until the loop ends, at most so many seconds."""
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
