"""The SESSIONS folder: find a session or make it, and hold it against a second loop."""

from __future__ import annotations

import difflib
import fcntl
import json
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from samocode import files, task, worktrees
from samocode.errors import UserError
from samocode.git import Repository, Worktree
from samocode.history import FILE as HISTORY
from samocode.history import History, local_now
from samocode.outside import mapping, parse
from samocode.project import Project
from samocode.session import LOCK, LOGS, OVERVIEW, SKELETON, TASK, Session

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DATED = re.compile(r"\d\d-\d\d-\d\d-(.+)", re.S)
ARCHIVE = "_archive"


def check_name(name: str) -> None:
    """UserError unless the name can name a folder and a git branch."""
    if not NAME.fullmatch(name) or ".." in name or name.endswith((".", ".lock")):
        raise UserError(
            f"--session {name!r}: use up to 64 letters, digits, '.', '_' and '-', beginning with a "
            "letter or digit, "
            "without '/' or '..', not ending in '.' or '.lock'."
        )


def find(sessions: Path, name: str) -> Path | None:
    """The folder of exactly this name, else the newest YY-MM-DD-NAME (ignoring case), else None."""
    check_name(name)
    exact = sessions / name
    if not exact.is_dir():
        dated = [
            d
            for d in _folders(sessions)
            if (m := DATED.fullmatch(d.name)) and m[1].lower() == name.lower()
        ]
        if not dated:
            return None
        exact = max(dated, key=lambda folder: folder.name)
    if not (exact / TASK).is_file():
        raise UserError(f"{exact} is no session (it has no {TASK}): choose another --session name.")
    return exact


def nearest(sessions: Path, name: str) -> str:
    """A sentence with the names that come near, archived ones too; empty when there is none."""
    archive = sessions / ARCHIVE
    known = {d.name: d.name for d in _folders(sessions)} | {
        d.name: f"{ARCHIVE}/{d.name}" for d in _folders(archive)
    }
    short = {
        (m[1] if (m := DATED.fullmatch(n)) else n): shown for n, shown in sorted(known.items())
    }
    near = difflib.get_close_matches(name, [*short, *known], n=3, cutoff=0.5)
    return f" Near: {', '.join(dict.fromkeys((short | known)[n] for n in near))}." if near else ""


def create(
    project: Project, name: str, texts: Mapping[str, str], environ: Mapping[str, str]
) -> Path:
    """A new session's folder with the human's words in it. All or nothing: it is renamed into
    place."""
    check_name(name)
    now = local_now()
    folder = project.sessions / f"{now:%y-%m-%d}-{name}"
    tree = _new_worktree(project, folder.name, environ)
    project.sessions.mkdir(exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".new-{folder.name}-", dir=project.sessions))
    try:
        _fill(making, folder.name, project, texts, tree)
        making.rename(folder)
    except OSError:
        shutil.rmtree(making, ignore_errors=True)
        if not (folder / TASK).is_file():  # else another start was faster: the lock decides
            raise
    return folder


def _fill(
    making: Path, name: str, project: Project, texts: Mapping[str, str], tree: Worktree | None
) -> None:
    (making / LOGS).mkdir(mode=0o700)
    history = History(making / HISTORY)
    place = {**vars(tree), "path": str(tree.path)} if tree else {}
    history.append("session", name=name, **place)
    session = Session(making, project, None, history)
    files.append(making / TASK, f"# {name}: the human's words, kept by the loop\n".encode())
    for kind, text in texts.items():
        task.add(session, kind, text)
    files.write(making / OVERVIEW, SKELETON.format(name=name))


def _new_worktree(project: Project, name: str, environ: Mapping[str, str]) -> Worktree | None:
    repository = Repository.find(project.main_repo, environ)
    if repository is None:
        return None
    repository.check()
    base = repository.base(project.base_branch)
    path = project.worktrees.resolve() / name
    tree = Worktree(path, f"samocode/{name}", base, repository.commit(base))
    place = repository.prefix.rstrip("/")
    if place and repository.call("cat-file", "-e", f"{repository.full(base)}:{place}") is None:
        raise UserError(
            f"{place} is not in {base}, where the session would start: commit that folder there, "
            "or set MAIN_REPO to the repository's top."
        )
    worktrees.check_free(repository, tree)
    return tree


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the session: one loop at a time. The kernel's lock on the folder; it goes with its
    process."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _lock(fd):
            raise UserError(f"Session {folder.name} is running already: {holder(folder)}.")
        since = local_now().isoformat(timespec="seconds")
        held = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        files.write(folder / LOCK, json.dumps(held) + "\n")
        yield
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    """Take the lock; a few tries, since somebody who only looks (`is_running`) holds it for an
    instant."""
    for _ in range(3):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return True
    return False


def holder(folder: Path) -> str:
    """Who holds the session, for people."""
    found = mapping(parse(files.read_any(folder / LOCK)))
    if not found:
        return f"{folder / LOCK} does not say by whom"
    return f"pid {found.get('pid')} on {found.get('host')} since {found.get('since')}"


def is_running(folder: Path) -> bool:
    """Whether a loop holds the session now."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return [d for d in parent.iterdir() if d.is_dir() and not d.name.startswith((".", "_"))]
