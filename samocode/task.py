"""The human's words: taken into the record from the command line and from `_task.md`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from samocode.pages import task
from samocode.pages.edited import EditedFile
from samocode.pages.names import INBOX, TASK
from samocode.pages.tokens import more
from samocode.record import files
from samocode.record.exits import ExitCode, UserError
from samocode.record.history import History, local_now
from samocode.record.state import SessionState
from samocode.record.untrusted import mapping, parse
from samocode.session import Session

Texts = Mapping[str, str]
"""The human's words of one start, by kind: dive, task."""
Say = Callable[[str], None]
MAX_NOTE = 1 << 16  # bytes of a note's file


def add(history: History, kind: str, text: str, inbox: str | None = None) -> None:
    """Record the human's words: at first, as a note to an unfinished session, or as a new round of
    one that is done. A note sent while a loop ran is no decision: a child may have run, too."""
    state, opens, note = history.state, None, None
    if state.done is not None:
        opens, note = state.round + 1, "The human opened a new round: read the end of _task.md."
    elif state.iteration:
        note = "The human added a note: read the end of _task.md."
    history.append(
        "task", kind=kind, text=text, round=opens, notes=[note] if note else None, inbox=inbox,
        decision=inbox is None or opens is not None or None,
    )  # fmt: skip


def new(session: Session, texts: Texts) -> Texts:
    """Those of the human's words that are not on record, word for word."""
    return {k: text for k, text in texts.items() if not _known(session.state, k, text)}


def take(session: Session, texts: Texts, say: Say) -> None:
    """Record the human's new words of this start, and print them; say which are not new."""
    take_inbox(session, say)
    page = page_file(session, say)
    untouched = not more(page.read() or "", printed(session), by_word=False)
    state, fresh = session.state, new(session, texts)
    running = bool(state.iteration) and state.done is None
    if state.iteration and (known := [f"--{kind}" for kind in texts if kind not in fresh]):
        say(f"The words of {' and '.join(known)} are in {TASK} already: not added again.")
    for kind, text in fresh.items():
        add(session.history, "note" if running else kind, text)
    if untouched:  # else the gate takes what a person added, once it is whole, and prints
        page.print(printed(session))


def make(session: Session, texts: Texts, say: Say) -> None:
    """Everything but a run: the words and the worktree."""
    if texts and session.state.pending:
        raise UserError(
            "The last run was killed in the middle of an iteration. Run once without --task, "
            "then add it."
        )
    take(session, texts, say)
    session.ensure_worktree()


def send(folder: Path, text: str) -> None:
    """Leave a note for the loop that runs this session: one file in its `_inbox/`."""
    inbox = files.folder(folder / INBOX)
    now = local_now().isoformat(timespec="seconds")
    note = json.dumps({"t": now, "kind": "task", "text": text})
    files.write(inbox / f"{time.time_ns()}-{os.getpid()}.json", note + "\n")


def take_inbox(session: Session, say: Say) -> None:
    """Record the notes that were sent, each once, and remove their files. They came while a child
    may have run, and are no decision of a person at the loop."""
    inbox = session.folder / INBOX
    for path in sorted(inbox.glob("*.json")) if files.is_folder(inbox) else ():
        found = mapping(parse(files.read_any(path, MAX_NOTE)))
        text = found.get("text")
        if not isinstance(text, str) or not text.strip() or found.get("kind") != "task":
            say(f"{INBOX}: {path.name} is no note; it is {files.set_aside(path).name} now.")
            continue
        if _known(session.state, "task", text):
            say(f"A note was sent that is on record already: {text.splitlines()[0][:200]}")
        elif path.name not in session.state.inbox:
            add(session.history, "note" if session.state.done is None else "task", text, path.name)
            say(f"A note was sent: {text.splitlines()[0][:200]}")
        path.unlink(missing_ok=True)


def page_file(session: Session, say: Say) -> EditedFile:
    """`_task.md` of a session."""
    return EditedFile(session.folder / TASK, lambda _: printed(session), say)


def printed(session: Session) -> str:
    """Its text."""
    return task.text(session.name, session.state)


def collect(session: Session, page: EditedFile, say: Say) -> None:
    """Take what a person added to `_task.md`, while no child ran, as a note; print it again."""
    text = page.read() if page.changed() else None
    if note := more(text or "", printed(session), by_word=False):
        add(session.history, "note", note)
        say(f"Taken from {TASK} as a note: {note.splitlines()[0][:200]}")
    page.print(printed(session))


def _known(state: SessionState, kind: str, text: str) -> bool:
    """Whether the words are on record: an old command was given again. A note after "blocked" is a
    decision, and may be the same as the last one."""
    kinds = {known for _, known, old in state.texts if old.strip() == text.strip()}
    if kinds == {"note"} and state.stopped and state.stopped[0] == ExitCode.BLOCKED:
        return False
    return bool(kinds) if state.iteration else kind in kinds
