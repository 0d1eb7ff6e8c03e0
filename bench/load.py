#!/usr/bin/env python3
"""Many sessions of one repository at once, each through both gates; some loops are killed.

    python bench/load.py --sessions 50 --kills 5 --seed 1

Answers come at random moments. Every session must end as done, with its own answer, its own commit
on its own branch, and no process left. The exit code is 1 if one does not.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.outer import speech
from tests.outer.stage import Loop, Stage, git

speech.PATIENCE = 1200.0  # seconds; fifty Pythons share two cores
CHILD = """
if PHASE == 'investigation':
    signal(phase='planning') if (SESSION / '_qa.md').exists() else ask('Which?')
elif PHASE == 'planning':
    plan()
elif PHASE == 'implementation':
    Path('s{0}.txt').exists() or commit('s{0}.txt', 's{0}')
    signal(phase='done')
else:
    signal('done', summary='It works.')
"""
"""It acts by phase and not by number, since an iteration may run twice after a kill."""
LATEST = 20.0  # seconds until an answer, and until a kill


def one(top: Path, number: int) -> Stage:
    """A session beside the others: the same repository, SESSIONS and WORKTREES."""
    stage = Stage(top / f"s{number}", name=f"s{number}")
    folders = {name: str(top / name.lower()) for name in ("SESSIONS", "WORKTREES")}
    stage.configure(MAIN_REPO=str(top / "first" / "repo"), **folders)
    (stage.folder / "sessions").symlink_to(top / "sessions")
    stage.script(default=CHILD.format(number))
    return stage


def human(stage: Stage, dice: random.Random) -> None:
    """Answer the question, then approve the plan."""
    speech.wait_for(lambda: list((stage.folder / "sessions").glob(f"[!.]*-{stage.name}")))
    session = stage.session
    speech.wait_for(lambda: speech.blank(session, 1))
    time.sleep(dice.uniform(0, LATEST))
    speech.answer(session, 1, f"the answer of {stage.name}")
    speech.approval(session)
    time.sleep(dice.uniform(0, LATEST))
    speech.approve(session)


def lives(top: Path) -> list[str]:
    """The processes that carry a mark of these sessions."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            marked = f"SAMOCODE_RUN={top}/".encode() in entry.read_bytes()
        except OSError:
            continue
        found += [entry.parent.name] * marked
    return found


def wrong(stage: Stage, loop: Loop, repo: Path) -> str:
    """What is wrong with a session; empty if nothing is."""
    code, name = loop.process.wait(speech.PATIENCE), stage.name
    if code != 0:
        return f"{name} ended with {code}:\n{loop.out[-2000:]}"
    answers = [text for number, text, _ in speech.answers(stage.session) if number == 1]
    numbers = [line["n"] for line in speech.iterations(stage.session)]
    files = git("diff", "--name-only", "main", stage.branch, cwd=repo).split()
    seen = (answers, sorted(set(numbers)), files)
    wanted = ([f"the answer of {name}"], numbers, [f"{name}.txt"])
    return "" if seen == wanted else f"{name}: {seen} in place of {wanted}"


def main() -> None:
    """Run them all; exit 1 with the reasons when anything was wrong."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    for flag, default in (("--sessions", 50), ("--kills", 5), ("--seed", 1)):
        parser.add_argument(flag, type=int, default=default)
    options = parser.parse_args()
    dice = random.Random(options.seed)  # noqa: S311 - a dice, no secret
    with tempfile.TemporaryDirectory(prefix="samocode-load-") as folder:
        top = Path(folder)
        for name in ("sessions", "worktrees"):
            (top / name).mkdir()
        repo = Stage(top / "first").with_git().repo
        stages, began = [one(top, number) for number in range(options.sessions)], time.monotonic()
        loops = [stage.start() for stage in stages]
        people = [threading.Thread(target=human, args=(s, dice), daemon=True) for s in stages]
        for person in people:
            person.start()
        for number in dice.sample(range(options.sessions), options.kills):
            time.sleep(dice.uniform(0, LATEST))
            loops[number].process.kill()
            loops[number].process.wait()
            loops[number] = stages[number].start()
        faults = [wrong(*pair, repo) for pair in zip(stages, loops, strict=True)]
        faults = [fault for fault in faults if fault] + [f"left: {pid}" for pid in lives(top)]
        print(*faults, sep="\n")
        count, seconds = options.sessions, time.monotonic() - began
        print(f"{count} sessions, {options.kills} kills: {len(faults)} faults, {seconds:.0f} s")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
