"""workflow.md and the command files, as the tests and the trials read them."""

import contextlib
import io
import re
from pathlib import Path
from typing import NamedTuple

from samocode.decide.signal import Signal
from samocode.settings import flags

CLONE = Path(__file__).parent.parent
WORKFLOW = (CLONE / "workflow.md").read_text()
COMMANDS = {path.stem: path.read_text() for path in sorted((CLONE / "commands").glob("*.md"))}
EVERYTHING = {"workflow": WORKFLOW, **COMMANDS}
ON_SESSIONS = {"samocode", "session-start", "session-continue", "session-archive"}
PHASE_WORK = sorted(set(COMMANDS) - ON_SESSIONS)


class Row(NamedTuple):
    """One line of workflow.md's phase table."""

    phase: str
    reads: tuple[str, ...]
    endings: str

    def named(self, status: str) -> list[str]:
        """The names in brackets after `continue` or `waiting`; "stay" is the phase itself."""
        found = re.search(rf"{status} \(([^)]*)\)", self.endings)
        names = found[1].split(", ") if found else []
        return [self.phase if name == "stay" else name for name in names]

    def allows(self, signal: Signal) -> bool:
        """Whether this signal is among the phase's legal endings."""
        if signal.status == "continue":
            return (signal.phase or self.phase) in self.named("continue")
        if signal.status == "waiting":
            return signal.waits_for in self.named("waiting")
        return signal.status in re.sub(r"\(.*?\)", "", self.endings)


def table() -> list[Row]:
    """The phase table without its head."""
    lines = [line for line in WORKFLOW.splitlines() if line.startswith("| ")]
    cells = [line.strip("| ").split(" | ") for line in lines[1:]]
    return [Row(c[0], tuple(re.findall(r"`(\S+)\.md`", c[2])), c[3]) for c in cells]


def fences(text: str) -> list[str]:
    """The content of all fenced blocks."""
    return re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)


def spans(text: str) -> list[str]:
    """All inline code outside of fenced blocks."""
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return re.findall(r"`([^`\n]+)`", plain)


def help_text() -> str:
    """What --help prints."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        flags.parse(["--help"])
    return shown.getvalue()


def body(name: str) -> str:
    """A command's text without its frontmatter."""
    return COMMANDS[name].split("---\n", 2)[2]


def examples(text: str) -> list[str]:
    """Every signal that a text shows, inline or in a block, where one may take several lines."""
    blocks = [part for block in fences(text) for part in re.split(r"^(?=\{)", block, flags=re.M)]
    return [part.strip() for part in spans(text) + blocks if part.startswith("{")]
