"""Build the CLI's prompt, command line and environment."""

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
from samocode.settings.load import Settings, is_on
from samocode.settings.table import EFFORTS

TESTED = "2.1.332"
"""The CLI version that tests/real runs."""
TOOLS = "Bash,Edit,Read,Write,Agent,WebFetch,WebSearch"
"""The child's built-in tools. The others need a person or a later turn, which a -p run does not
have, and nearly double the first request (26,368 to 49,804 characters). A --tools in CLAUDE_ARGS
replaces them."""
KEYS = ("ANTHROPIC_API_KEY", "apiKeyHelper")
"""Values of `apiKeySource` in the init event that mean: an API key pays, not a login."""
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
"""Not passed on: a claude started by another claude refuses to run or hangs for half an hour."""
FIXED = {
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # their results are lost when -p ends
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",  # this and the next line keep requests identical
    "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "1",
    "CLAUDE_CODE_FORK_SUBAGENT": "0",  # a fork pays for the whole conversation again
    "DISABLE_AUTOUPDATER": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
}


class Job(NamedTuple):
    """What one iteration passes to the CLI. `log` and its `.stderr` must not exist yet."""

    session: Path
    cwd: Path
    log: Path
    limit: float
    budget: float | None = None
    top: Path | None = None
    """The root of the worktree that contains `cwd`."""
    approved: bool = False
    """A plan is approved, so commits are allowed."""
    number: int = 0
    phase: str = ""
    model: str = ""
    """`model` or `model:effort`; empty for the default."""
    tools: str = TOOLS


def prompt(session: Path) -> bytes:
    """Return workflow.md plus two lines, identical in every iteration so that the prompt cache
    hits. Read it once per run: a `git pull` of this clone must not change a running session."""
    folders = f"Session folder: {session}\nCommands folder: {COMMANDS}"
    tail = f"\n{folders} (lost this text? read {WORKFLOW})\n"
    return WORKFLOW.read_bytes() + tail.encode("utf-8", "surrogateescape")


def command(settings: Settings, job: Job, session_id: str) -> list[str]:
    """Build the command line. CLAUDE_ARGS come last, so they take precedence."""
    hook = shlex.join([sys.executable, str(CLONE / "main.py"), "--check-signal", str(job.session)])
    hooks = {"Stop": [{"hooks": [{"type": "command", "command": hook, "timeout": 60}]}]}
    # False overrides `disableAllHooks` in the user's settings, which would disable the Stop hook.
    given = {"hooks": hooks, "disableAllHooks": False, **walls(job.session, job.approved)}
    budget = ["--max-budget-usd", f"{job.budget:.4f}"] if job.budget is not None else []
    return [
        str(settings.claude),
        "-p",
        "--output-format",
        "stream-json",
        "--verbose",
        *model_flags(job.model or settings.model),
        "--permission-mode",
        settings.permission_mode,
        "--add-dir",
        str(job.session),
        "--settings",
        json.dumps(given),
        "--session-id",
        session_id,
        "--tools",
        job.tools,
        *budget,
        *settings.claude_args,
    ]


def model_flags(text: str) -> list[str]:
    """Return the flags for `opus` or `opus:xhigh`. Model ids of Bedrock contain colons, too."""
    head, _, last = text.rpartition(":")
    if head and last in EFFORTS:
        return ["--model", head, "--effort", last]
    return ["--model", text]


def not_as_announced(settings: Settings, init: Init | None) -> EndReason | None:
    """Return `payer` or `mode` if the init event reports another one than the user was shown. The
    run must then be killed."""
    if init is None:
        return None
    if init.key_source in KEYS and not settings.key_may_pay:
        return "payer"
    # Newer CLI versions report the mode `default` as `manual`.
    mode = "default" if init.mode == "manual" else init.mode
    return "mode" if mode and mode != settings.permission_mode else None


def labelled(environ: Mapping[str, str], job: Job) -> Mapping[str, str]:
    """Add session, phase and iteration to the attributes of Claude's telemetry, if it is on."""
    if not is_on(environ.get("CLAUDE_CODE_ENABLE_TELEMETRY", "")):
        return environ
    labels = {"session": job.session.name, "phase": job.phase, "iteration": f"{job.number}"}
    own = [f"samocode.{name}={text}" for name, text in labels.items()]
    given = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {**environ, "OTEL_RESOURCE_ATTRIBUTES": ",".join(filter(None, (given, *own)))}


def environment(environ: Mapping[str, str], top: Path | None) -> dict[str, str]:
    """Return the child's environment, without variables of an outer claude, of Telegram, of
    Samocode and of git. In it, git does not search above `top`."""
    kept = {
        name: value
        for name, value in git.clean(environ).items()
        if name not in NESTED_RUN and not name.startswith(("TELEGRAM_", "SAMOCODE_"))
    }
    if "TMPDIR" in kept and not Path(kept["TMPDIR"]).is_dir():
        del kept["TMPDIR"]  # it was the temporary folder of a shell that has ended
    return (git.not_above(top, kept) if top else kept) | FIXED
