#!/usr/bin/env python3
"""Look at a session as it was: read its history up to a line and show what the loop knew then.

    python bench/replay.py SESSION              every line, with its number, in short
    python bench/replay.py SESSION --line 12    the state after line 12, and its `_qa.md`

SESSION is a session folder or its _history.jsonl. Nothing is written.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from samocode.pages import questions
from samocode.record.history import FILE, History

LONGEST = 100  # characters of a value in the list of lines


def short(value: object) -> str:
    """A value as JSON, cut."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def main() -> None:
    """Print the lines, or one state."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("session", type=Path)
    parser.add_argument("--line", type=int)
    options = parser.parse_args()
    path: Path = options.session / FILE if options.session.is_dir() else options.session
    if options.line is None:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            event = json.loads(line)
            rest = {key: value for key, value in event.items() if key not in ("t", "event")}
            said = ", ".join(f"{key} {short(value)}" for key, value in rest.items())
            print(f"{number:5} {event['t']} {event['event']}: {said}")
        return
    state = History(path).load(repair=False).at(options.line)
    for name, value in sorted(vars(state).items()):
        print(f"{name} = {value!r}")
    print(f"open = {[question.id for question in state.open]}")
    if page := questions.page(state):
        print(f"\n{page.text}")


if __name__ == "__main__":
    main()
