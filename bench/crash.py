#!/usr/bin/env python3
"""Kill the loop with SIGKILL at random moments of a session of some thirty iterations, restart it
each time, and check that nothing is lost.

    python bench/crash.py --kills 300 --seed 7            every way to choose the moment, in turn
    python bench/crash.py --kills 100 --how line          before a random line of the loop's code

At the first failed check it prints the seed and the folder, and exits with code 1.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.crashing import GONE_WITHIN, Telling, Violation, holds
from bench.killing import DYING, HOWS, PATIENCE, Death, How, wait
from tests.outer.stage import Stage

ENDS = {0: "done", 3: "blocked: the story wants a note"}


@dataclass
class Tally:
    """One row of the table."""

    how: str
    sessions: int = 0
    kills: int = 0
    starts: int = 0
    iterations: int = 0
    recovered: int = 0
    answers: int = 0
    longest: float = 0.0
    """Seconds that a child outlived its loop, at most."""
    seconds: float = 0.0
    places: set[str] = field(default_factory=set[str])
    """Source lines at which the loop was killed (--how line)."""


def tell(telling: Telling, death: Death, kills: int, tally: Tally) -> None:
    """Run one session to its end, with at most `kills` kills. Raises Violation."""
    began, last = time.monotonic(), tally.kills + kills
    telling.human.start()
    try:
        while live_once(telling, death if tally.kills < last else None, tally):
            pass
        telling.check_end()
    finally:
        telling.human.over.set()
        telling.human.join()
    tally.sessions += 1
    tally.iterations += len(telling.lines("iteration"))
    tally.recovered += sum("recovered" in line for line in telling.lines("iteration"))
    tally.answers += telling.human.saves
    tally.seconds += time.monotonic() - began


def live_once(telling: Telling, death: Death | None, tally: Tally) -> bool:
    """Start the loop once and wait for its end. Return whether the session needs another start."""
    loop = started(telling, death.environ() if death else {}, DYING)
    try:
        if death:
            death.strike(loop)
        wait(loop, PATIENCE)
        holds(loop.returncode is not None, "it hangs")
    finally:
        loop.kill()
        loop.wait()
    tally.starts += 1
    if loop.returncode == -9:
        tally.kills += 1
        if death:
            tally.places |= {death.place} - {""}
            if death.dice.random() < 0.25:
                tally.longest = max(tally.longest, child_gone(telling.project))
            if death.dice.random() < 0.2:
                telling.tear()
        telling.check()
        return True
    telling.check()
    holds(loop.returncode in ENDS, f"exit code {loop.returncode}")
    return loop.returncode != 0


def started(telling: Telling, environ: Mapping[str, str], loop: Path) -> subprocess.Popen[bytes]:
    """Start the loop as a process and keep its output."""
    command = telling.project.command("--task", telling.text())
    command[1] = str(loop)
    with (telling.project.folder / "output.txt").open("ab") as out:
        return subprocess.Popen(
            command,
            env={**telling.project.environ, **environ},
            cwd=telling.project.folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def child_gone(project: Stage) -> float:
    """Return the seconds until no child holds the lock that each child holds while it lives."""
    began = time.monotonic()
    with (project.steps / "one-child").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lasted = time.monotonic() - began
                holds(lasted < GONE_WITHIN, "the child outlived its loop")
                time.sleep(0.02)
            else:
                return time.monotonic() - began


def isolate(top: Path) -> None:
    """Set a new HOME, and remove variables of Claude, Telegram and git."""
    foreign = ("CLAUDE", "ANTHROPIC", "AI_AGENT", "TELEGRAM_", "SAMOCODE_", "GIT_", "XDG_")
    for name in [name for name in os.environ if name.startswith(foreign)]:
        del os.environ[name]
    (top / "home").mkdir(parents=True)
    (top / "gitconfig").write_text("[user]\nname = Test\nemail = test@example.invalid\n")
    os.environ |= {"HOME": str(top / "home"), "GIT_CONFIG_GLOBAL": str(top / "gitconfig")}
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    # For the children's `env python3`: a pyenv shim would add 0.1 s to each.
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def place(top: Path, name: str, seed: object) -> Telling:
    """Create a project with a small repository."""
    return Telling(Stage(top / name).with_git(), seed)


def lines_of(top: Path) -> list[str]:
    """Return every line of Samocode's code that a session without kills runs."""
    telling = place(top, "undisturbed", "undisturbed")
    ran = top / "lines-ran"
    telling.project.extra |= {"LINES_RAN": str(ran)}
    tell(telling, Death((), random.Random(0), []), 0, Tally("undisturbed"))  # noqa: S311
    return sorted(set(ran.read_text().split()))


def rows(how: How, kills: int, seed: int, top: Path, lines: list[str]) -> Iterator[Tally]:
    """Run sessions until all kills are used. Yield the tally after each session."""
    tally = Tally(how)
    while tally.kills < kills:
        name = f"{seed}-{how}-{tally.sessions}"
        telling = place(top, name, name)
        death = Death((how,), random.Random(name), lines)  # noqa: S311 - not for cryptography
        tell(telling, death, kills - tally.kills, tally)
        shutil.rmtree(telling.project.folder)
        yield tally


def main() -> int:
    """Run the kills and print the table and the seed."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--how", choices=HOWS)
    options = parser.parse_args()
    hows = (cast("How", options.how),) if options.how else HOWS
    top = Path(tempfile.mkdtemp(prefix="samocode-crash-"))
    print(f"seed {options.seed}, in {top}", flush=True)
    isolate(top)
    try:
        lines = lines_of(top) if "line" in hows else []
        random.Random(options.seed).shuffle(lines)  # noqa: S311 - not for cryptography
        for how in hows:
            share = -(-options.kills // len(hows))
            for tally in rows(how, share, options.seed, top, list(lines)):
                show(tally, len(set(lines)))
    except Violation as broken:
        print(f"VIOLATION: {broken}\nseed {options.seed}, in {top}")
        return 1
    shutil.rmtree(top)
    print(f"Nothing was lost. Seed {options.seed}.")
    return 0


def show(tally: Tally, lines: int) -> None:
    """Print the tally in one line."""
    where = f", at {len(tally.places)} of {lines} lines" if tally.how == "line" else ""
    print(
        f"{tally.how:6} {tally.kills:4} kills{where}, {tally.sessions} sessions finished, "
        f"{tally.iterations} iterations ({tally.recovered} recovered), {tally.answers} saves by "
        f"the human, 0 lost; a child outlived its loop by {tally.longest:.2f} s at most; "
        f"{tally.seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
