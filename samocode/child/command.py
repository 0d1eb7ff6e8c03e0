"""How the Claude CLI is called: prompt, command line, environment."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from samocode.child.stream import EndReason, Init
from samocode.child.walls import walls
from samocode.git import command as git
from samocode.settings.clone import CLONE, COMMANDS, WORKFLOW
from samocode.settings.load import Settings

TESTED = "2.1.332"
"""The version of the CLI that tests/real runs."""
TOOLS = "Bash,Edit,Read,Write,Agent,WebFetch,WebSearch"
"""Built-in tools of the child. The others wait for a person or a later moment, which mislead it in
-p mode, and nearly double the first request (measured: 49,804 -> 26,368 characters). MCP tools
stay; CLAUDE_ARGS can add some."""
KEYS = ("ANTHROPIC_API_KEY", "apiKeyHelper")
"""What init names where an API key pays that no login stored."""
NESTED_RUN = (
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_CODE_CHILD_NOTES_DIR",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDE_PID",
    "CLAUDE_EFFORT",
    "AI_AGENT",
)
"""What a claude inside a claude must not see: it refuses, or stalls for half an
hour."""
FIXED = {
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # promised to the model, lost when -p ends
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",  # with the next: the request repeats byte for byte
    "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "1",
    "DISABLE_AUTOUPDATER": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
}


class Job(NamedTuple):
    """What one iteration hands to the CLI; `log` and its `.stderr` are opened exclusively."""

    session: Path
    cwd: Path
    log: Path
    limit: float
    budget: float | None = None
    top: Path | None = None
    """Where the worktree begins that `cwd` is in."""
    approved: bool = False
    """A plan is approved: commits are allowed."""


def prompt(session: Path) -> bytes:
    """workflow.md and two lines: the same text in every iteration, so that the prompt cache hits.
    Read it once a start: a `git pull` of this clone must not change it in the middle of a run."""
    folders = f"Session folder: {session}\nCommands folder: {COMMANDS}"
    tail = f"\n{folders} (lost this text? read {WORKFLOW})\n"
    return WORKFLOW.read_bytes() + tail.encode("utf-8", "surrogateescape")


def command(settings: Settings, job: Job, session_id: str) -> list[str]:
    """The command line; CLAUDE_ARGS come last, so that they win."""
    hook = shlex.join([sys.executable, str(CLONE / "main.py"), "--check-signal", str(job.session)])
    hooks = {"Stop": [{"hooks": [{"type": "command", "command": hook, "timeout": 60}]}]}
    # False wins over `disableAllHooks` in the user's settings, which would silence the Stop hook.
    given = {"hooks": hooks, "disableAllHooks": False, **walls(job.session, job.approved)}
    budget = ["--max-budget-usd", f"{job.budget:.4f}"] if job.budget is not None else []
    return [
        str(settings.claude),
        "-p",
        "--output-format",
        "stream-json",
        "--verbose",
        "--model",
        settings.model,
        "--permission-mode",
        settings.permission_mode,
        "--add-dir",
        str(job.session),
        str(COMMANDS),
        "--settings",
        json.dumps(given),
        "--session-id",
        session_id,
        "--tools",
        TOOLS,
        *budget,
        *settings.claude_args,
    ]


def not_as_announced(settings: Settings, init: Init | None) -> EndReason | None:
    """Why a run that begins so must end before its first request; None when all is as announced."""
    if init is None:
        return None
    if init.key_source in KEYS and not settings.key_may_pay:
        return "payer"
    # `manual` is the CLI's new name of `default`.
    mode = "default" if init.mode == "manual" else init.mode
    return "mode" if mode and mode != settings.permission_mode else None


def environment(environ: Mapping[str, str], top: Path | None) -> dict[str, str]:
    """The user's environment for the child, less what belongs to an outer run, to Telegram or to
    another repository than that of the worktree at `top`."""
    kept = {
        name: value
        for name, value in git.clean(environ).items()
        if name not in NESTED_RUN and not name.startswith(("TELEGRAM_", "SAMOCODE_"))
    }
    if "TMPDIR" in kept and not Path(kept["TMPDIR"]).is_dir():
        del kept["TMPDIR"]  # it went with the shell that the loop was started from
    return (git.not_above(top, kept) if top else kept) | FIXED
