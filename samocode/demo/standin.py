"""The stand-in for the CLI: read command line and prompt, play an iteration, write events."""

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from samocode.demo import notebook, thinking, working
from samocode.demo.child import Child, Ending
from samocode.demo.stage import Failed, Stage

ACTS: Mapping[str, Callable[[Child], Ending]] = {
    "investigation": thinking.investigation,
    "requirements": thinking.requirements,
    "planning": thinking.planning,
    "implementation": working.implementation,
    "testing": working.testing,
    "quality": working.quality,
    "done": working.done,
}


def main(argv: Sequence[str], prompt: Callable[[], str]) -> int:
    """Run once and return the exit code. Other flags of the CLI are ignored."""
    parser = argparse.ArgumentParser(prog="claude", allow_abbrev=False)
    parser.add_argument("--version", action="store_true")
    for name in ("--model", "--permission-mode", "--session-id"):
        parser.add_argument(name, default="")
    options = parser.parse_known_args(argv)[0]
    if options.version:
        print("0 (the stand-in of Samocode's demo)")
        return 0
    session = _session(prompt())
    if session is None:
        print("The prompt names no session folder.")
        return 1
    stage = Stage(options.model, options.session_id)
    stage.open(options.permission_mode)
    stage.close(_iteration(stage, session))
    return 0


def _session(prompt: str) -> Path | None:
    """Return the session folder named at the end of the prompt."""
    found = re.findall(r"^Session folder: (.+)$", prompt, flags=re.M)
    return Path(found[-1]) if found else None


def _iteration(stage: Stage, session: Path) -> str:
    """Play one iteration and return its last text."""
    routine = replace(stage, pace=0)  # routine reads need no pause
    routine.read(session / "_task.md")
    now = notebook.iteration(routine.read(session / "_iteration.json"))
    child = Child(stage, session, now)
    try:
        ending = ACTS[now.phase](child)
    except Failed as failed:
        entry = notebook.Entry(now.phase, str(failed), "a look by the human")
        ending = Ending({"status": "blocked", "reason": str(failed)}, entry)
    _close(replace(child, stage=routine), ending)
    return ending.entry.did


def _close(child: Child, ending: Ending) -> None:
    """Write the notebook, then the signal, atomically."""
    notes = child.session / "_overview.md"
    before = notes.read_text() if notes.exists() else ""
    child.stage.write(notes, notebook.overview(before, child.now, ending.entry))
    signal = child.session / "_signal.json"
    temporary = child.session / "_signal.json.tmp"
    child.stage.write(temporary, json.dumps(dict(ending.signal)) + "\n")
    temporary.rename(signal)
