"""Record what the user writes, on the command line, in `_task.md` or as a note."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from samocode.pages import printed
from samocode.pages.edited import EditedFile
from samocode.pages.names import INBOX, TASK
from samocode.pages.qa_file import MAX_PAGE
from samocode.pages.tokens import more
from samocode.record import files
from samocode.record.exits import ExitCode, UserError
from samocode.record.history import History, local_now
from samocode.record.state import SessionState
from samocode.record.untrusted import mapping, parse
from samocode.session import Session

Texts = Mapping[str, str]
"""The texts of one start, by kind: dive, task."""
Say = Callable[[str], None]


def add(history: History, kind: str, text: str, inbox: str | None = None) -> None:
    """Record a text: the first one, a note to an unfinished session, or a new round. A note from
    `_inbox` does not reset the counters, because a child may have written it."""
    state, opens, note = history.state, None, None
    if state.done is not None:
        opens, note = state.round + 1, "The human opened a new round: read the end of _task.md."
    elif state.iteration:
        note = "The human added a note: read the end of _task.md."
    history.append(
        "task", kind=kind, text=text, round=opens, notes=[note] if note else None, inbox=inbox,
        decision=inbox is None or None,
    )  # fmt: skip


def new(session: Session, texts: Texts) -> Texts:
    """Return the texts that are not recorded yet."""
    return {k: text for k, text in texts.items() if not _known(session.state, k, text)}


def take(session: Session, texts: Texts, say: Say) -> None:
    """Record the new texts and print `_task.md`. Report texts that are not new."""
    take_inbox(session, say)
    page = page_file(session, say)
    untouched = not more(page.read() or "", _text(session), by_word=False)
    state, fresh = session.state, new(session, texts)
    running = bool(state.iteration) and state.done is None
    if state.iteration and (known := [f"--{kind}" for kind in texts if kind not in fresh]):
        say(f"{TASK} already has the text of {' and '.join(known)}; it was not added again.")
    for kind, text in fresh.items():
        add(session.history, "note" if running else kind, text)
    if untouched:  # else the gate records what a person added, once it settles
        page.print(_text(session))


def make(session: Session, texts: Texts, say: Say) -> None:
    """Record the texts and create the worktree, without a run."""
    if texts and session.state.pending:
        raise UserError(
            "The last run was killed in the middle of an iteration. Run once without --task, "
            "then add it."
        )
    take(session, texts, say)
    session.ensure_worktree()


def send(folder: Path, text: str) -> None:
    """Leave a note for the running loop: one file in `_inbox/`. UserError if it is too long."""
    inbox = files.folder(folder / INBOX)
    now = local_now().isoformat(timespec="seconds")
    note = json.dumps({"t": now, "kind": "task", "text": text})
    if len(note) >= files.MAX_BYTES:
        raise UserError("The note is too long: put it in a file, and send the file's name.")
    files.write(inbox / f"{time.time_ns()}-{os.getpid()}.json", note + "\n")


def take_inbox(session: Session, say: Say) -> None:
    """Record the notes in `_inbox/`, each once, and remove their files."""
    inbox = session.folder / INBOX
    for path in sorted(inbox.glob("*.json")) if files.is_folder(inbox) else ():
        found = mapping(parse(files.read_any(path, files.MAX_BYTES)))
        text = found.get("text")
        if not isinstance(text, str) or not text.strip() or found.get("kind") != "task":
            renamed = files.set_aside(path).name
            say(f"{INBOX}: {path.name} is not a valid note. It was renamed to {renamed}.")
            continue
        if path.name not in session.state.inbox:
            add(session.history, "note" if session.state.done is None else "task", text, path.name)
            say(f"Note received: {text.splitlines()[0][:200]}")
        path.unlink(missing_ok=True)


def done(session: Session, say: Say) -> str | None:
    """Return the summary if the session is done. A note that nobody has read opens a round."""
    if session.state.done is not None:
        take_inbox(session, say)
    return session.state.done


def page_file(session: Session, say: Say) -> EditedFile:
    return EditedFile(session.folder / TASK, lambda _: _text(session), say, MAX_PAGE)


def _text(session: Session) -> str:
    return printed.task(session.name, session.state)


def collect(session: Session, page: EditedFile, say: Say) -> None:
    """Record text that a person added to `_task.md` as a note, and print the page again."""
    text = page.read() if page.changed() else None
    if note := more(text or "", _text(session), by_word=False):
        add(session.history, "note", note)
        say(f"Taken from {TASK} as a note: {note.splitlines()[0][:200]}")
    page.print(_text(session))


def _known(state: SessionState, kind: str, text: str) -> bool:
    """Whether the text is recorded. The same note again after a "blocked" stop counts as new."""
    kinds = {known for _, known, old in state.texts if old.strip() == text.strip()}
    if kinds == {"note"} and state.stopped and state.stopped[0] == ExitCode.BLOCKED:
        return False
    return bool(kinds) if state.iteration else kind in kinds
