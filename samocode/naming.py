"""Choose the session if --session is not given, or a name for a new one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from samocode import sessions
from samocode.git.repository import Repository
from samocode.lock import is_running
from samocode.pages.names import HISTORY
from samocode.record.exits import UserError
from samocode.record.history import History
from samocode.record.state import SessionState
from samocode.record.words import few
from samocode.settings.project import Project
from samocode.task import Texts

LONGEST = 40  # characters of a name made from a task
SKIPPED = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "by", "do", "for", "from", "in", "into", "is"),
        *("it", "its", "of", "on", "or", "our", "please", "so", "that", "the", "then", "there"),
        *("this", "to", "we", "with", "you", "your"),
    )
)


def session(project: Project, repository: Repository | None, texts: Texts) -> str:
    """Return the session's name for a start without --session. UserError if a loop is running and
    the text may be a note to it or a new task."""
    running = [path.name for path in _of_project(project, repository, is_running)] if texts else []
    name = name_for(project, texts) if texts else choose(project, repository)
    if running and sessions.find(project.sessions, name) is None:
        raise UserError(
            f"A loop is running: {few(running)}. Add --session {running[0]} to send it a note, or "
            f"--session {name} to begin another one."
        )
    return name


def choose(project: Project, repository: Repository | None, running: bool = False) -> str:
    """Return the one unfinished session of this project, or with `running` the one that a loop
    runs. UserError if there is none, or several."""
    wanted = is_running if running else _unfinished
    found = list(_of_project(project, repository, wanted))
    if len(found) == 1:
        return found[0].name
    if not found and running:
        raise UserError("No loop runs here. --status shows all sessions.")
    if not found:
        raise UserError(
            "No session of this project is unfinished. Add --session NAME (--status shows all), or "
            "begin one with --task TEXT."
        )
    named = [f"{path.name} ({_state(path).phase})" for path in found]
    names = few(sorted(named, reverse=True))
    raise UserError(f"Which session? Add --session NAME: {names}. --status shows all.")


def name_for(project: Project, texts: Texts) -> str:
    """Make a session name from the words of the task. If an unfinished session
    began with the same text, its name is returned, so that the command can be repeated. If another
    session has the name, a number is appended."""
    made, number = from_words(texts.get("task") or texts["dive"]), 1
    name = made
    while (folder := sessions.find(project.sessions, name)) and not _began_with(folder, texts):
        number += 1
        name = f"{made}-{number}"
    return name


def from_words(text: str) -> str:
    """Join the first words in lower case, at most four, without SKIPPED: "fix-login-timeout"."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain.replace("'", ""))
    name = ""
    for word in [word for word in words if word not in SKIPPED] or words:
        if len(name) + 1 + len(word) > LONGEST or name.count("-") == 3:
            break
        name = f"{name}-{word}" if name else word
    return name or "task"


def _began_with(folder: Path, texts: Texts) -> bool:
    try:
        state = _state(folder)
    except UserError:  # damaged: another session has the name
        return False
    known = {(kind, text) for _, kind, text in state.texts}
    return state.done is None and texts.items() <= known


def _of_project(
    project: Project, repository: Repository | None, wanted: Callable[[Path], bool]
) -> Iterator[Path]:
    """Yield the sessions of this project that are `wanted`. Skip damaged ones, which --status
    reports."""
    for history in project.sessions.glob(f"[!._]*/{HISTORY}"):
        try:
            if wanted(history.parent):
                sessions.check_project(history.parent, project, repository)
                yield history.parent
        except UserError:
            continue


def _unfinished(folder: Path) -> bool:
    return _state(folder).done is None


def _state(folder: Path) -> SessionState:
    return History(folder / HISTORY).load(repair=False).state
