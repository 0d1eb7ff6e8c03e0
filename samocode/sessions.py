"""The SESSIONS folder: find, create and send notes to sessions."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from samocode.git import gitdir
from samocode.git import worktree as worktrees
from samocode.git.branches import Branches
from samocode.git.repository import Repository
from samocode.lock import is_running
from samocode.pages import printed
from samocode.pages.names import HISTORY, LOGS, TASK
from samocode.record import files
from samocode.record.exits import ExitCode, UserError
from samocode.record.history import VERSION, History, local_now
from samocode.record.state import SessionState, Worktree
from samocode.record.words import DATED, short_name
from samocode.settings.load import Settings
from samocode.settings.project import Project
from samocode.task import Texts, add, send

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ARCHIVE = "_archive"


def repository_of(settings: Settings) -> Repository | None:
    """Return the repository around MAIN_REPO. UserError in a session's worktree with a copy of
    .samocode, whose paths would lead to other folders."""
    found = Repository.find(settings.project.main_repo, settings.environ)
    if found and found.is_linked and settings.project.file.is_relative_to(found.top):
        head = files.read_any(gitdir.of(found.top) / "HEAD")
        if head.startswith(b"ref: refs/heads/samocode/"):
            raise UserError(
                f"{found.top} is the worktree of a session. Run this in {found.common.parent}, or "
                "where the project's own .samocode is."
            )
    return found


def check_name(name: str) -> None:
    """Raise UserError unless the name is valid for a folder and a git branch."""
    if not NAME.fullmatch(name) or ".." in name or name.endswith((".", ".lock")):
        raise UserError(
            f"--session {name!r}: use up to 64 letters, digits, '.', '_' and '-', beginning with a "
            "letter or digit, "
            "without '/' or '..', not ending in '.' or '.lock'."
        )


def find(sessions: Path, name: str) -> Path | None:
    """Find the folder of this name, else the newest YY-MM-DD-NAME, ignoring case."""
    check_name(name)
    found = sessions / name
    if not found.is_dir():
        same = [d for d in _folders(sessions) if short_name(d.name).lower() == name.lower()]
        if not same:
            return None
        found = max(same, key=lambda folder: folder.name)
    kept = list(found.glob(f"{HISTORY}.kept-*"))
    if not os.path.lexists(found / HISTORY) and not kept:
        raise UserError(
            f"{found} is not a session (it has no {HISTORY}): choose another --session name."
        )
    return found


def find_or_create(
    project: Project, name: str, texts: Texts, repository: Repository | None, given: bool = False
) -> tuple[Path, bool]:
    """Return the session's folder and whether it was created. UserError, with similar names, if it
    does not exist and `texts` is empty, or if a name that a person gave is probably a slip."""
    folder = find(project.sessions, name)
    like = None if folder else _only(project.sessions, name)
    if given and texts and not folder:
        _check_new(project.sessions, name, like)
    folder = folder or (None if texts else like)
    if folder:
        check_project(folder, project, repository)
        return folder, False
    if not texts:
        near = nearest(project.sessions, name)
        raise UserError(f"There is no session {name!r}.{near} To begin it, add --task or --dive.")
    return create(project, name, texts, repository)


def _only(sessions: Path, start: str) -> Path | None:
    """Find the session if it is the only one whose name, without its date, begins with `start`."""
    like = [d for d in _folders(sessions) if short_name(d.name).startswith(start)]
    found = [folder for folder in like if (folder / HISTORY).is_file()]
    return found[0] if len(found) == 1 else None


def _check_new(sessions: Path, name: str, like: Path | None) -> None:
    """UserError if a name for a new session is probably meant for one that exists."""
    if DATED.fullmatch(name):
        near = nearest(sessions, name)
        raise UserError(f"There is no session {name!r}.{near} To begin one, leave the date out.")
    whole = short_name(like.name) if like else ""
    begins = like and whole.startswith(f"{name}-")  # job-1 is no beginning of job-10
    if like and begins and _is_unfinished(like):
        raise UserError(
            f"Session {whole} is unfinished. Add --session {whole} to send it a note. To begin "
            f"another one, choose a name that is not the beginning of {whole}."
        )


def _is_unfinished(folder: Path) -> bool:
    """Whether the session can go on: it is neither done nor damaged."""
    try:
        return History(folder / HISTORY).load(repair=False).state.done is None
    except UserError:
        return False


def nearest(sessions: Path, name: str) -> str:
    """Return a sentence with similar session names, archived ones too, or an empty string."""
    archive = sessions / ARCHIVE
    known = {d.name: d.name for d in _folders(sessions)} | {
        d.name: f"{ARCHIVE}/{d.name}" for d in _folders(archive)
    }
    short = {short_name(n): shown for n, shown in sorted(known.items())}
    from difflib import get_close_matches

    near = get_close_matches(name, [*short, *known], n=3, cutoff=0.5)
    names = ", ".join(dict.fromkeys((short | known)[n] for n in near))
    return f" Similar names: {names}." if near else ""


def create(
    project: Project, name: str, texts: Texts, repository: Repository | None
) -> tuple[Path, bool]:
    """Create a session's folder. It is filled under another name and then renamed. Return it, and
    False if another start created it meanwhile: the lock decides which of the two runs it."""
    now = local_now()
    folder = project.sessions / f"{now:%y-%m-%d}-{name}"
    tree = _new_worktree(project, folder.name, repository) if repository else None
    project.sessions.mkdir(exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".new-{folder.name}-", dir=project.sessions))
    try:
        _fill(making, folder.name, texts, tree, _place(project, repository))
        making.rename(folder)
    except OSError:
        shutil.rmtree(making, ignore_errors=True)
        if not (folder / HISTORY).is_file():
            raise
        return folder, False
    return folder, True


def check_project(folder: Path, project: Project, repository: Repository | None) -> None:
    """UserError when the session belongs to another repository, or another folder of this one."""
    try:
        state = History(folder / HISTORY).at(1)
    except (files.Unreadable, KeyError, TypeError, ValueError, OverflowError):
        return  # open_session reports a damaged history
    tree, whose = state.worktree, ""
    if repository and tree and (at := repository.other_holder(tree.path)):
        whose = f"clone ({tree.path} belongs to {at})"
    elif repository and tree and tree.commit and repository.commit(tree.commit) is None:
        whose = f"repository (its commit {tree.commit[:9]} is not in {repository.top})"
    elif _is_elsewhere(state, project, repository):
        whose = f"folder ({'the top of the repository' if state.place == '.' else state.place})"
    if whose:
        raise UserError(
            f"{folder} is a session of another {whose}: choose another --session name, or give "
            "each project its own SESSIONS."
        )


def _is_elsewhere(state: SessionState, project: Project, repository: Repository | None) -> bool:
    """Whether the session belongs to another folder than MAIN_REPO. Without a worktree `place` is a
    path; if it no longer exists, the folder was probably moved, and MAIN_REPO is accepted."""
    if state.place is None:
        return False
    if state.worktree:
        return repository is not None and state.place != _place(project, repository)
    place = Path(state.place)
    return place.is_dir() and not place.samefile(project.main_repo)


def _place(project: Project, repository: Repository | None) -> str:
    """Return the folder that a session belongs to: relative to its repository's top, or an absolute
    path without git."""
    return repository.prefix or "." if repository else str(project.main_repo)


@contextmanager
def all_or_nothing(folder: Path, made: bool) -> Generator[None]:
    """Remove a session created by this start if the start fails with a usage error."""
    try:
        yield
    except UserError as refused:
        if made and refused.exit_code == ExitCode.USAGE:
            shutil.rmtree(folder)
        raise


def _fill(making: Path, name: str, texts: Texts, tree: Worktree | None, place: str) -> None:
    (making / LOGS).mkdir(mode=0o700)
    history = History(making / HISTORY)
    worktree = {**tree._asdict(), "path": str(tree.path)} if tree else {}
    history.append("session", v=VERSION, name=name, place=place, **worktree)
    for kind, text in texts.items():
        add(history, kind, text)
    files.write(making / TASK, printed.task(name, history.state))
    printed.create_overview(making, name)


def _new_worktree(project: Project, name: str, repository: Repository) -> Worktree:
    repository.check_identity()
    branches = Branches.read(repository)
    base, commit = branches.start(project.base_branch)
    tree = Worktree(project.worktrees / name, f"samocode/{name}", base, commit)
    worktrees.check_free(branches, tree)
    return tree


def hand_over(folder: Path, texts: Texts) -> str:
    """Send the text as a note to the running loop, and return a sentence for the user. A text that
    is a task already is not sent. Empty if no loop runs any more: this start reads the note."""
    if not is_running(folder):
        return ""
    if "dive" in texts:
        raise UserError("--dive cannot be added to a running session. Wait, or send --task.")
    text, state = texts["task"], History(folder / HISTORY).load(repair=False).state
    if text.strip() == (state.task or "").strip():
        return "It has that task already."  # the start was repeated
    send(folder, text)
    return "It reads the note before its next iteration." if is_running(folder) else ""


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return [d for d in parent.iterdir() if d.is_dir() and not d.name.startswith((".", "_"))]
