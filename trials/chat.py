"""The chat of a reader with a scripted person: a command that prints the reply and keeps both."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trials.trial import ROOT


def install(folder: Path, script: str) -> None:
    """Put the command `person` into a trial; it calls trials/SCRIPT person FOLDER WORDS."""
    command = folder / "person"
    asks = shlex.join([sys.executable, str(ROOT / "trials" / script), "person", str(folder)])
    command.write_text(f'#!/bin/sh\nexec {asks} "$@"\n')
    command.chmod(0o755)


def reply(folder: Path, stands: str, words: str, replies: Sequence[str]) -> str:
    """The person's reply, by how often they were spoken to while the session stood like this; the
    last one for ever."""
    before = sum(turn["stands"] == stands for turn in turns(folder))
    told: str = replies[min(before, len(replies) - 1)]
    turn = {"time": time.time(), "stands": stands, "said": words, "reply": told}
    with (folder / "chat.jsonl").open("a") as chat:
        chat.write(json.dumps(turn) + "\n")
    return told


def turns(folder: Path) -> list[dict[str, Any]]:
    """What was said so far: `time`, `stands`, `said`, `reply`."""
    path = folder / "chat.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
