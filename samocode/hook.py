"""The Stop hook (`main.py --check-signal DIR`): the loop's own check, run while the child can still
mend it."""

from __future__ import annotations

import sys
from pathlib import Path

from samocode import signals
from samocode.clone import environment
from samocode.errors import UserError
from samocode.git import Repository
from samocode.history import FILE, History
from samocode.project import Project
from samocode.session import TASK, Session

SEND_BACK = (
    2  # a Stop hook's exit code that sends the child back to work with what stands on stderr
)


def check_signal(folder: Path) -> int:
    """0 when the child may end; SEND_BACK, with one sentence per problem on stderr, when it may
    not."""
    try:
        problems = problems_of(folder.resolve())
    except UserError as error:  # not the child's to mend: let it end, the loop will say so
        print(error, file=sys.stderr)
        return 1
    for problem in problems:
        print(problem, file=sys.stderr)
    return SEND_BACK if problems else 0


def problems_of(folder: Path) -> tuple[str, ...]:
    """What is wrong with the signal and, before approval, with the code."""
    if not (folder / TASK).is_file():
        raise UserError(f"{folder} is no session.", exit_code=1)
    history = History(folder / FILE).load(repair=False)
    tree = history.past.worktree
    repository = Repository.find(tree.path, environment()) if tree else None
    place = tree.path if tree else folder
    project = Project(file=folder, main_repo=place, worktrees=place, sessions=folder.parent)
    session = Session(folder, project, repository, history)
    code = session.code()
    changed = session.changed_code(code)
    restore = (
        (
            "No plan is approved yet, so code must not change. Restore what you changed: "
            f"{', '.join(changed[:20])}.",
        )
        if changed
        else ()
    )
    return restore + signals.read(session.situation(session.read_questions(), code)).problems
