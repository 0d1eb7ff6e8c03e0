"""The stand-in for the CLI: read command line and prompt, play an iteration, write events."""

import argparse
import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from samocode.demo import notebook, thinking, working
from samocode.demo.child import Child, Ending
from samocode.demo.stage import Call, Failed, Stage

HOOK_LIMIT = 60.0
ACTS: Mapping[str, Callable[[Child], Ending]] = {
    "investigation": thinking.investigation,
    "requirements": thinking.requirements,
    "planning": thinking.planning,
    "implementation": working.implementation,
    "testing": working.testing,
    "quality": working.quality,
    "done": working.done,
}


@dataclass(frozen=True)
class World:
    """The outside world, as parameters."""

    cwd: Path
    environ: Mapping[str, str]
    stdin: TextIO
    stdout: TextIO
    sleep: Callable[[float], None]


def main(argv: Sequence[str], world: World) -> int:
    """Run once and return the exit code."""
    options = _parser().parse_known_args(argv)[0]
    if options.version:
        print("0 (the stand-in of Samocode's demo)", file=world.stdout)
        return 0
    session = _session(world.stdin.read())
    if session is None:
        print("The prompt names no session folder.", file=world.stdout)
        return 1
    call = Call(options.model, options.permission_mode, options.session_id, options.settings)
    stage = Stage(call, world.cwd, world.environ, world.stdout, world.sleep)
    stage.open()
    stage.close(_iteration(stage, session))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="claude", allow_abbrev=False)
    parser.add_argument("-p", action="store_true")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--output-format")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--permission-mode", default="default")
    parser.add_argument("--session-id", default="")
    parser.add_argument("--settings", default="")
    parser.add_argument("--max-budget-usd")
    for name in ("--add-dir", "--tools", "--disallowedTools"):
        parser.add_argument(name, nargs="+")
    return parser


def _session(prompt: str) -> Path | None:
    """Return the session folder named at the end of the prompt."""
    found = re.findall(r"^Session folder: (.+)$", prompt, flags=re.M)
    return Path(found[-1]) if found else None


def _iteration(stage: Stage, session: Path) -> str:
    """Play one iteration and return its last text."""
    routine = replace(stage, sleep=_no_pause)  # routine reads need no pause
    routine.read(session / "_task.md")
    now = notebook.iteration(routine.read(session / "_iteration.json"))
    child = Child(stage, session, now)
    try:
        ending = ACTS[now.phase](child)
    except Failed as failed:
        entry = notebook.Entry(now.phase, str(failed), "a look by the human")
        ending = Ending({"status": "blocked", "reason": str(failed)}, entry)
    _close(replace(child, stage=routine), ending)
    for complaint in _stop_hooks(stage):
        stage.say(f"The stop hook does not accept this: {complaint}")
    return ending.entry.did


def _no_pause(_seconds: float) -> None:
    """Do not sleep."""


def _close(child: Child, ending: Ending) -> None:
    """Write the notebook, then the signal, atomically."""
    notes = child.session / "_overview.md"
    before = notes.read_text() if notes.exists() else ""
    child.stage.write(notes, notebook.overview(before, child.now, ending.entry))
    signal = child.session / "_signal.json"
    temporary = child.session / "_signal.json.tmp"
    child.stage.write(temporary, json.dumps(dict(ending.signal)) + "\n")
    temporary.rename(signal)


def _stop_hooks(stage: Stage) -> list[str]:
    """Run the Stop hooks as the CLI does. Return stderr of those that exit with 2."""
    told = json.dumps({"session_id": stage.call.session_id, "cwd": str(stage.cwd)})
    ended = [
        subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=stage.cwd,
            env=dict(stage.environ),
            input=told,
            capture_output=True,
            text=True,
            timeout=HOOK_LIMIT,
            check=False,
        )
        for command in _hook_commands(stage.call.settings)
    ]
    return [one.stderr.strip() for one in ended if one.returncode == 2]


def _hook_commands(settings: str) -> list[str]:
    """Return the Stop hooks' commands. `settings` is JSON, the path of a JSON file, or empty."""
    if not settings.strip():
        return []
    text = settings if settings.lstrip().startswith("{") else Path(settings).read_text()
    found: dict[str, Any] = json.loads(text)
    groups = found.get("hooks", {}).get("Stop", [])
    return [hook["command"] for group in groups for hook in group.get("hooks", [])]
