"""A command as a person types it in Claude Code, outside any session: made, and graded.

trials/alone                     lists the commands
trials/alone COMMAND DIR         make the project, print the sentence for a fresh reader
trials/alone grade DIR...        what each reader left: 1 when something failed
"""

from __future__ import annotations

import sys
from pathlib import Path

from trials import sessions, typed
from trials.grade import verdict
from trials.trial import Trial


def main(argv: list[str]) -> int:
    """See the top of this file."""
    if len(argv) == 3 and argv[0] == "person":
        print(sessions.person(Path(argv[1]), argv[2]))
        return 0
    if len(argv) == 2 and argv[0] in {*typed.CASES, *sessions.CASES}:
        of = typed if argv[0] in typed.CASES else sessions
        print(of.make(argv[0], Path(argv[1])))
        return 0
    if len(argv) < 2 or argv[0] != "grade":
        print(f"{__doc__}\ncommands: {', '.join([*typed.CASES, *sessions.CASES])}")
        return 2
    failed = False
    for trial in (Trial(Path(arg).resolve()) for arg in argv[1:]):
        command = str(trial.facts["command"])
        said = list((typed if command in typed.CASES else sessions).grade(trial))
        failed = failed or bool(said)
        print(verdict(f"{trial.folder.name} /{command}", said))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
