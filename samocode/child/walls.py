"""What the CLI refuses to a child, as its `permissions.deny` rules.

Walls stop accidents: the child is told at once, in bypassPermissions too, and pays no token for
them. A script, `sh -c` or `git -C` gets past, so the loop still compares afterwards. The worktree
has no wall before approval: one would refuse documented builds (`mkdir build`; CLI 2.1.332).
"""

from __future__ import annotations

from pathlib import Path

from samocode.pages.names import HISTORY, INBOX, ITERATION, LOGS, QA, TASK

READ_ONLY = (HISTORY, TASK, QA, ITERATION, f"{INBOX}/**", f"{LOGS}/**")
NEVER = ("git push", "git stash")  # the stash is one for all worktrees: the user's too
NOT_YET = ("git commit",)
"""Until a plan is approved."""


def walls(session: Path, approved: bool) -> dict[str, object]:
    """The part of the CLI's settings that holds the walls of a session."""
    commands = NEVER if approved else NEVER + NOT_YET
    files = [f"Edit(/{session / name})" for name in READ_ONLY]
    return {"permissions": {"deny": [*files, *(f"Bash({words}:*)" for words in commands)]}}
