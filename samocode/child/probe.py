"""Short runs of the CLI that send no request: its version, its login, its init event."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from samocode.child.command import environment, model_flags
from samocode.child.stream import Init, Reader
from samocode.settings.load import Settings

TICK = 0.01  # seconds between reads of the output
MOST = 1 << 20  # bytes of the output that are read
PROMPT = b"/cost"
REFUSING = {
    "hooks": {"UserPromptSubmit": [{"hooks": [{"type": "command", "command": "exit 2"}]}]},
    "disableAllHooks": False,
}
"""Settings with a hook that refuses every prompt."""


class Said(NamedTuple):
    """The output of a short run. `code` is None if it was killed at the limit or its init event."""

    code: int | None
    out: bytes = b""
    err: str = ""


def ask(settings: Settings, cwd: Path, limit: float, *args: str) -> Said:
    """Run `claude ARGS` for at most `limit` seconds."""
    return program([str(settings.claude), *args], settings, cwd, limit)


def program(words: Sequence[str], settings: Settings, cwd: Path, limit: float) -> Said:
    """Run another program in the environment that a child gets."""
    return _run(words, settings, cwd, limit, b"", lambda _: False)


def introduce(settings: Settings, cwd: Path, limit: float) -> tuple[Init | None, Said]:
    """Return the init event of a run in `cwd` that sends no request. Three things ensure that, each
    sufficient by itself on CLI 2.1.332: the prompt is a command that claude answers itself, a hook
    refuses any prompt, and the run is killed at its init event, 0.1 s before a first request."""
    words = [
        str(settings.claude), "-p", "--output-format", "stream-json", "--verbose",
        *model_flags(settings.model), "--permission-mode", settings.permission_mode,
        "--no-session-persistence", "--settings", json.dumps(REFUSING), *settings.claude_args,
    ]  # fmt: skip
    said = _run(words, settings, cwd, limit, PROMPT, lambda out: _init(out) is not None)
    return _init(said.out), said


def _init(out: bytes) -> Init | None:
    reader = Reader()
    reader.feed(out)
    return reader.result.init


def _run(
    words: Sequence[str], settings: Settings, cwd: Path, limit: float, given: bytes,
    enough: Callable[[bytes], bool],
) -> Said:  # fmt: skip
    """Run until it ends, the limit is reached, or `enough` accepts its output. The output goes to
    files, since a process that it left behind may hold a pipe open for ever."""
    files = tempfile.TemporaryFile
    with files() as prompt, files() as out, files() as err:
        prompt.write(given)
        prompt.seek(0)
        try:
            main = subprocess.Popen(
                words, cwd=cwd, env=environment(settings.environ, None), start_new_session=True,
                stdin=prompt, stdout=out, stderr=err,
            )  # fmt: skip
        except OSError as error:
            return Said(127, err=str(error))
        try:
            code, until = main.poll(), time.monotonic() + limit
            while code is None and time.monotonic() < until and not enough(_all(out.fileno())):
                time.sleep(TICK)
                code = main.poll()
        finally:
            _kill(main)
        words_of_error = _all(err.fileno()).decode("utf-8", "replace")
        return Said(code, _all(out.fileno()), " ".join(words_of_error.split())[-300:])


def _all(file: int) -> bytes:
    return os.pread(file, MOST, 0)


def _kill(main: subprocess.Popen[bytes]) -> None:
    """Kill the process group. Wait one second at most: a process in a kernel call may not end."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(main.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        main.wait(1)
