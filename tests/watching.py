"""All command lines of the machine, watched while something runs."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Seen:
    """How many command lines were seen during the watch, and those that held a secret."""

    lines: int = 0
    leaks: tuple[str, ...] = ()


@contextmanager
def watched(secrets: tuple[str, ...]) -> Generator[Seen]:
    """Look at all command lines of this machine again and again, as anybody can."""
    seen, over = Seen(), threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for text in command_lines():
                seen.lines += 1
                if any(secret in text for secret in secrets):
                    seen.leaks += (text,)

    watch = threading.Thread(target=look)
    watch.start()
    try:
        yield seen
    finally:
        over.set()
        watch.join()


def command_lines() -> Iterator[str]:
    """What the system shows of each process to everybody."""
    if sys.platform != "linux":
        ps = ["ps", "-A", "-ww", "-o", "command="]
        done = subprocess.run(ps, capture_output=True, text=True, check=True)
        yield from done.stdout.splitlines()
        return
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield entry.read_bytes().decode(errors="replace")
