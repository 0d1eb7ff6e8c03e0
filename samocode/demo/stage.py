"""Actions of the stand-in. Each is carried out, and reported as the CLI reports it."""

import itertools
import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOOLS = ("Bash", "Edit", "Read", "Write")
TALK_PAUSE = 0.6  # seconds, so that a person can follow
TOOL_PAUSE = 0.25
COMMAND_LIMIT = 60.0


class Failed(Exception):
    """A command or edit that had to succeed failed."""

    def __init__(self, command: str, output: str) -> None:
        super().__init__(f"{command} failed: {output.strip()[-500:]}")


@dataclass(frozen=True)
class Done:
    """A finished shell command. `output` combines stdout and stderr."""

    command: str
    code: int
    output: str

    @property
    def last_line(self) -> str:
        """The last line that is not blank."""
        return next((line for line in reversed(self.output.splitlines()) if line.strip()), "")

    def proof(self) -> str:
        """Return a line for a report: command, exit code, last line."""
        return f"- `{self.command}`: exit {self.code}, `{self.last_line.strip()}`"


@dataclass(frozen=True)
class Stage:
    """One run of the stand-in, in the worktree. Events go to stdout, one JSON object per line."""

    model: str
    session_id: str
    pace: float = 1.0
    """Factor of all pauses."""
    cwd: Path = field(default_factory=Path.cwd)
    turns: Iterator[int] = field(default_factory=itertools.count)

    def open(self, permission_mode: str) -> None:
        """Write the init event."""
        self._event(
            type="system", subtype="init", cwd=str(self.cwd), model=self.model, tools=TOOLS,
            slash_commands=[], permissionMode=permission_mode,
        )  # fmt: skip

    def close(self, words: str) -> None:
        """Write the result event."""
        self._event(
            type="result", subtype="success", is_error=False, terminal_reason="completed",
            num_turns=next(self.turns), total_cost_usd=0, result=words,
        )  # fmt: skip

    def say(self, text: str) -> None:
        """Write a text event, and pause so that it can be read."""
        self._message("assistant", {"type": "text", "text": text})
        time.sleep(TALK_PAUSE * self.pace)

    def read(self, file: Path) -> str:
        text = file.read_text()
        self._tool("Read", {"file_path": str(file)}, text)
        return text

    def write(self, file: Path, text: str) -> None:
        file.write_text(text)
        self._tool("Write", {"file_path": str(file), "content": text}, f"Wrote {file}")

    def edit(self, file: Path, old: str, new: str) -> None:
        """Replace text once. Failed if `old` is not in the file."""
        text = file.read_text()
        if old not in text:
            raise Failed(f"Edit of {file.name}", f"not found: {old}")
        file.write_text(text.replace(old, new, 1))
        change = {"file_path": str(file), "old_string": old, "new_string": new}
        self._tool("Edit", change, f"Edited {file}")

    def bash(self, command: str, why: str) -> Done:
        """Run a shell command and wait for it."""
        ended = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_LIMIT,
            check=False,
        )
        asked = {"command": command, "description": why}
        self._tool("Bash", asked, ended.stdout, is_error=ended.returncode != 0)
        return Done(command, ended.returncode, ended.stdout)

    def must(self, command: str, why: str) -> Done:
        """Like `bash`, but raise Failed unless the exit code is 0."""
        done = self.bash(command, why)
        if done.code != 0:
            raise Failed(command, done.output)
        return done

    def _tool(self, name: str, asked: dict[str, str], answer: str, is_error: bool = False) -> None:
        use = f"toolu_demo_{next(self.turns)}"
        self._message("assistant", {"type": "tool_use", "id": use, "name": name, "input": asked})
        told = {"tool_use_id": use, "content": answer, "is_error": is_error}
        self._message("user", {"type": "tool_result", **told})
        time.sleep(TOOL_PAUSE * self.pace)

    def _message(self, role: str, block: dict[str, Any]) -> None:
        message = {"role": role, "model": self.model, "content": [block]}
        self._event(type=role, message=message, parent_tool_use_id=None)

    def _event(self, **event: Any) -> None:
        line = {**event, "session_id": self.session_id, "uuid": str(uuid.uuid4())}
        print(json.dumps(line), flush=True)
