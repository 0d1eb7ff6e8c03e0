"""One line of --check, and what the checks look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from samocode.settings.load import Settings
from samocode.show.screen import GREEN, RED, YELLOW

Level = Literal["ok", "warning", "problem"]
COLOURS: Mapping[Level, str] = {"ok": GREEN, "warning": YELLOW, "problem": RED}


class Finding(NamedTuple):
    """What a check found. A warning or problem has a remedy, in its text or beside it."""

    level: Level
    text: str
    remedy: str = ""


class Place(NamedTuple):
    """What is checked. Wrong settings have their defaults here, and a text in `problems`."""

    settings: Settings
    problems: Sequence[str]
    cwd: Path

    @property
    def code(self) -> Path:
        """MAIN_REPO, or without a usable one the current folder."""
        found = self.settings.project.main_repo
        return found if found.is_absolute() else self.cwd

    @property
    def config(self) -> Path | None:
        """Claude's own folder, None without a HOME."""
        environ = self.settings.environ
        if given := environ.get("CLAUDE_CONFIG_DIR"):
            return Path(given)
        return Path(environ["HOME"], ".claude") if environ.get("HOME") else None


def ok(text: str) -> Finding:
    return Finding("ok", text)


def warning(text: str, remedy: str = "") -> Finding:
    return Finding("warning", text, remedy)


def problem(text: str, remedy: str = "") -> Finding:
    return Finding("problem", text, remedy)


def or_ok(found: Iterable[Finding], text: str) -> list[Finding]:
    """Return the findings; if there are none, an ok with this text."""
    return list(found) or [ok(text)]
