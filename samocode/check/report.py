"""Run all checks side by side and print what they find."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import final

from samocode.check.claude import claude
from samocode.check.code import code, folders
from samocode.check.finding import COLOURS, Finding, Place, or_ok, problem, warning
from samocode.check.habits import habits
from samocode.check.live import live
from samocode.check.machine import links, room, sessions
from samocode.check.phone import notice, phone
from samocode.record.exits import ExitCode, UserError
from samocode.record.words import counted
from samocode.settings.load import Settings
from samocode.settings.timeouts import Timeouts
from samocode.show.live import View

INDENT = " " * 9
SLACK = 0.2  # seconds to end what is late


def check(
    flags: Mapping[str, str], environ: Mapping[str, str], env_file: Path | None, cwd: Path,
    timeouts: Timeouts,
) -> int:  # fmt: skip
    """Print one line for each finding. The exit code is 2 if one is a problem, else 0."""
    problems: list[str] = []
    settings = Settings(flags, environ, env_file, cwd, gather=problems)
    place, view = Place(settings, tuple(problems), cwd), View(None, settings.environ)
    levels: list[str] = []

    def show(subject: str, found: Iterable[Finding]) -> None:
        for finding in found:
            levels.append(finding.level)
            _print(view, subject, finding)

    show("settings", _settings(place))
    for subject, found in _side_by_side(place, timeouts.outside):
        show(subject, found)
    if settings.live and place.problems:
        later = warning("no call was made", "Correct the settings first.")
        show("live", [later])
    elif settings.live:
        show("live", live(place, timeouts))
        show("live", notice(place, 10 * timeouts.outside))
    wrong, doubtful = levels.count("problem"), levels.count("warning")
    view.say(f"\n{counted(wrong, 'problem')}, {counted(doubtful, 'warning')}.")
    return ExitCode.USAGE if wrong else ExitCode.DONE


def _settings(place: Place) -> list[Finding]:
    found = [problem(text) for text in place.problems]
    found += [warning(text) for text in place.settings.warnings]
    return or_ok(found, f"{place.settings.project.file} and the environment can be used")


@final
class _Task(threading.Thread):
    """One check in a thread of its own, which ends with the program if it is late."""

    def __init__(self, work: Callable[[], Iterable[Finding]]) -> None:
        super().__init__(daemon=True)
        self.work = work
        self.found: list[Finding] | None = None
        self.bug: Exception | None = None

    def run(self) -> None:
        try:
            self.found = list(self.work())
        except UserError as error:
            self.found = [problem(text) for text in error.problems]
        except OSError as error:
            self.found = [problem(f"{error}", "Give access, or make room.")]
        except Exception as error:
            self.bug = error

    def result(self, until: float) -> list[Finding]:
        """Return its findings, or a warning if it has not ended by `until`. A bug is raised."""
        self.join(max(0.0, until - time.monotonic()))
        if self.bug:
            raise self.bug
        late = [warning("there was no answer in time", "Run --check again on a less busy machine.")]
        return late if self.found is None else self.found


def _side_by_side(place: Place, limit: float) -> Iterable[tuple[str, list[Finding]]]:
    """Return the findings of all checks by subject, in a fixed order."""
    work: dict[str, list[Callable[[], Iterable[Finding]]]] = {
        "git": [partial(code, place), partial(folders, place)],
        "claude": [partial(claude, place, limit), partial(habits, place, limit)],
        "commands": [partial(links, place)],
        "phone": [partial(phone, place, limit / 2)],
        "machine": [partial(room, place)],
        "sessions": [partial(sessions, place)],
    }
    tasks = [(subject, _Task(one)) for subject, several in work.items() for one in several]
    for _, task in tasks:
        task.start()
    until = time.monotonic() + limit + SLACK
    return [(subject, task.result(until)) for subject, task in tasks]


def _print(view: View, subject: str, finding: Finding) -> None:
    text = f"{subject}: {finding.text}"
    text += f"\n{finding.remedy}" if finding.remedy else ""
    lines = text.replace("\n", f"\n{INDENT}")
    view.say(f"{finding.level:<9}{lines}", COLOURS[finding.level])
