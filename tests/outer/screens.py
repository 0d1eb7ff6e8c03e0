"""A terminal in tmux, with its own server."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence

import pytest

from tests.outer.speech import wait_for
from tests.outer.stage import Stage

needs_tmux = pytest.mark.skipif(not shutil.which("tmux"), reason="no tmux here")


class Terminal:
    """A terminal with a shell in it, in which the loop of a stage was started."""

    def __init__(
        self, stage: Stage, columns: int, *args: str, rows: int = 30, after: str = ""
    ) -> None:
        self._socket, self.stage = str(stage.folder / "tmux"), stage
        environ = {"PS1": "$ ", **stage.environ}
        kind = stage.extra.get("TERM", "$TERM")  # tmux sets TERM itself
        said = shlex.join(stage.command(*args))
        self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-s", "it"),
            *("-x", str(columns), "-y", str(rows), "-c", str(stage.folder)),
            *(word for name, value in environ.items() for word in ("-e", f"{name}={value}")),
            "/bin/bash --norc --noprofile",
        )
        self._tmux("set-option", "-g", "history-limit", "5000")
        self.keys(f"clear; TERM={kind} {said} {after or ';'} echo CODE=$?", "Enter")

    def _tmux(self, *words: str) -> str:
        command: Sequence[str] = ["tmux", "-S", self._socket, *words]
        return subprocess.run(
            command, env=self.stage.environ, capture_output=True, text=True, check=True
        ).stdout

    def keys(self, *keys: str) -> Terminal:
        """Press keys, by tmux's names for them."""
        self._tmux("send-keys", "-t", "it", *keys)
        return self

    def paste(self, text: str) -> None:
        """Paste, as terminals do it where the program asked for brackets."""
        self._tmux("set-buffer", text)
        self._tmux("paste-buffer", "-p", "-t", "it")

    def resize(self, columns: int, rows: int = 30) -> None:
        """Resize the window."""
        self._tmux("resize-window", "-t", "it", "-x", str(columns), "-y", str(rows))

    @property
    def screen(self) -> list[str]:
        """The lines on the screen now, without empty ones."""
        said = self._tmux("capture-pane", "-p", "-t", "it")
        return [line.rstrip() for line in said.splitlines() if line.strip()]

    @property
    def text(self) -> str:
        """Everything that was shown so far. Wrapped lines are joined."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-5000", "-t", "it")

    @property
    def colours(self) -> str:
        """The same with its colours."""
        return self._tmux("capture-pane", "-p", "-e", "-S", "-5000", "-t", "it")

    def wait(self, text: str) -> Terminal:
        """Wait until this text was shown."""
        wait_for(lambda: text in self.text)
        return self

    def wait_last(self, text: str) -> Terminal:
        """Wait until this text is in the last line of the screen."""
        wait_for(lambda: any(text in line for line in self.screen[-1:]))
        return self

    def wait_changed(self, last: list[str]) -> None:
        """Wait until the last line of the screen changes."""
        wait_for(lambda: self.screen[-1:] != last)

    def close(self) -> None:
        """End the terminal, and what runs in it."""
        self._tmux("kill-server")


Open = Callable[..., Terminal]
