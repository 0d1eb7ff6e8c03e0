"""The permission rules of a child.

The deny rules stop accidents at once, also in bypassPermissions, and cost no tokens. A script,
`sh -c` or `git -C` gets past them, so the loop still checks afterwards. No rule protects the
worktree before approval: it would deny documented builds (`mkdir build`; CLI 2.1.332).
"""

from __future__ import annotations

from pathlib import Path

from samocode.pages.names import HISTORY, INBOX, ITERATION, LOGS, QA, TASK
from samocode.settings.clone import COMMANDS

READ_ONLY = (HISTORY, TASK, QA, ITERATION, f"{INBOX}/**", f"{LOGS}/**")
NEVER = ("git push", "git stash")  # all worktrees share one stash
UNUSED_AGENTS = ("claude", "Plan", "statusline-setup")
"""Built-in agents that no command uses. Denying them makes the first request 600 characters
shorter. The agents general-purpose and Explore (read-only) are left."""
NOT_YET = ("git commit",)
"""Denied until a plan is approved."""


def walls(session: Path, approved: bool) -> dict[str, object]:
    """Return the CLI settings with the rules. The commands folder is readable, but not added by
    --add-dir: the CLI's sandbox would let every command write there, and two sandboxed sessions
    would fail at random ("bwrap: Can't find source path ...", CLI 2.1.332)."""
    commands = NEVER if approved else NEVER + NOT_YET
    denied = [f"Edit(/{session / name})" for name in READ_ONLY]
    denied += [f"Agent({kind})" for kind in UNUSED_AGENTS]
    denied += [f"Bash({words}:*)" for words in commands]
    return {"permissions": {"allow": [f"Read(/{COMMANDS}/**)"], "deny": denied}}
