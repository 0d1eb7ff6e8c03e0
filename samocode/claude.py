"""The only door to the Claude CLI: its command line, its environment, one run from spawn to the end
of its tree."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from samocode import git, processes
from samocode.clone import CLONE, COMMANDS, WORKFLOW
from samocode.config import Settings
from samocode.events import Event, Facts, Reader
from samocode.stop import StopRequest
from samocode.timing import Timing
from samocode.watch import Ended, Watch

TOOLS = "Bash,Edit,Read,Write,Agent,WebFetch,WebSearch"
"""Built-in tools of the child. The others wait for a person or a later moment, which mislead it in
-p mode, and nearly double the first request (measured: 49,804 -> 26,368 characters). MCP tools
stay; CLAUDE_ARGS can add some."""
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
"""What a claude inside a claude must not see: it refuses, or stalls for half an hour (lessons.md
13)."""
FIXED = {
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # promised to the model, lost when -p ends
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",  # with the next: the request repeats byte for byte
    "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "1",
    "DISABLE_AUTOUPDATER": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
}
TAIL_BYTES = 4000
RECOVERED = 64 << 20  # bytes of a log; ordinary ones have ten MB, a flood would take minutes
LAST_LOOK = 5.0  # seconds for what a run wrote that nobody has read yet
MAX_LEFT_OVER = 50  # names in the history; a tree that forks while it ends has thousands


@dataclass(frozen=True)
class Run:
    """One finished run of the CLI. `exit_code` is None when nobody saw it end (recovery)."""

    ended: Ended
    exit_code: int | None
    facts: Facts = field(default_factory=Facts)
    seconds: float = 0.0
    session_id: str = ""
    left_over: tuple[str, ...] = ()
    stderr: str = ""


@dataclass(frozen=True)
class Job:
    """What one iteration hands to the CLI; `log` and its `.stderr` are opened exclusively."""

    session: Path
    cwd: Path
    log: Path
    limit: float
    budget: float | None = None
    top: Path | None = None
    """Where the worktree begins that `cwd` is in."""


def prompt(session: Path) -> bytes:
    """workflow.md and two lines that are the same in every iteration: that is what makes the prompt
    cache hit."""
    folders = f"Session folder: {session}\nCommands folder: {COMMANDS}"
    tail = f"\n{folders} (lost this text? read {WORKFLOW})\n"
    return WORKFLOW.read_bytes() + tail.encode("utf-8", "surrogateescape")


def command(settings: Settings, job: Job, session_id: str) -> list[str]:
    """The command line; CLAUDE_ARGS come last, so that they win."""
    hook = shlex.join([sys.executable, str(CLONE / "main.py"), "--check-signal", str(job.session)])
    hooks = {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": hook, "timeout": 60}]}]}}
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
        json.dumps(hooks),
        "--session-id",
        session_id,
        "--tools",
        TOOLS,
        *budget,
        *settings.claude_args,
    ]


def environment(environ: Mapping[str, str], top: Path | None) -> dict[str, str]:
    """The user's environment for the child, less what belongs to an outer run, to Telegram or to
    another repository than that of the worktree at `top`."""
    kept = {
        name: value
        for name, value in git.clean(environ).items()
        if name not in NESTED_RUN and not name.startswith(("TELEGRAM_", "SAMOCODE_"))
    }
    return (git.not_above(top, kept) if top else kept) | FIXED


def run(
    settings: Settings,
    job: Job,
    stop: StopRequest,
    timing: Timing,
    show: Callable[[Event | None], None],
) -> Run:
    """Spawn the CLI, watch it to its end, and end everything it started. `show` gets each event,
    None while silent."""
    if not os.access(settings.claude, os.X_OK):  # an update at night takes it away for a moment
        return Run("itself", None, stderr=f"{settings.claude} is gone or not executable")
    session_id = str(uuid.uuid4())
    began = time.monotonic()
    with _open_logs(job.log) as (log, stderr, stdin):
        stdin.write(prompt(job.session))
        stdin.seek(0)
        words = command(settings, job, session_id)
        environ = environment(settings.environ, job.top)
        try:
            main = processes.spawn(words, job.cwd, environ, job.session, stdin, log, stderr)
        except OSError as error:  # no program of this machine, or its interpreter is gone
            return Run("itself", None, stderr=f"{settings.claude} cannot be run: {error}")
        with job.log.open("rb") as tail:
            watch = Watch(main, (tail, stderr), timing, show, job.limit)
            try:
                ended = watch.until_end(stop)
            finally:
                left_over = processes.end_tree(job.session, main, timing.term_grace)
            watch.read_on(LAST_LOOK)
    return Run(
        ended,
        main.returncode,
        watch.reader.facts,
        time.monotonic() - began,
        session_id,
        tuple(str(process) for process in left_over[:MAX_LEFT_OVER]),
        _tail(job.log.with_suffix(".stderr")),
    )


def recover(log: Path | None) -> Run:
    """What the log of a killed loop's child tells: the run that nobody saw end. It lasted from its
    stderr, empty as a rule since its start, to its last event."""
    reader, seconds = Reader(), 0.0
    if log and log.is_file():
        with log.open("rb") as file:
            reader.feed(file.read(RECOVERED // 64))  # how it began; then how it ended
            file.seek(max(file.tell(), log.stat().st_size - RECOVERED))
            for chunk in iter(lambda: file.read(1 << 20), b""):
                reader.feed(chunk)
        if (err := log.with_suffix(".stderr")).is_file():
            seconds = max(0.0, log.stat().st_mtime - err.stat().st_mtime)
    stderr = _tail(log.with_suffix(".stderr")) if log else ""
    told = reader.facts
    return Run("killed_loop", None, told, seconds, told.session_id, stderr=stderr)


@contextmanager
def _open_logs(log: Path) -> Generator[tuple[IO[bytes], IO[bytes], IO[bytes]]]:
    """(stdout, stderr, stdin): two files that were never there before, and an unnamed one."""
    with (
        _created(log) as out,
        _created(log.with_suffix(".stderr")) as err,
        tempfile.TemporaryFile() as stdin,
    ):
        yield out, err, stdin


def _created(path: Path) -> IO[bytes]:
    return os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
    )


def _tail(path: Path) -> str:
    """The end of a file, for people."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return file.read().decode("utf-8", "replace").strip()
