"""`_report.html`: a session on one page, for a browser. It can be made at any time, and changes
nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from samocode.pages.names import LOGS, OVERVIEW, QA, REPORT, TASK
from samocode.pages.questions import options
from samocode.record import files
from samocode.record.history import local_now
from samocode.record.state import Answer, Question
from samocode.session import Session
from samocode.show import landing, status
from samocode.show.ledger import BRIEF, MOST, each, picture, spent, trouble
from samocode.show.page import Folder, Markup, bullets, document, joined, section, tag, text
from samocode.show.past import Past
from samocode.show.row import standing
from samocode.show.sizes import Size
from samocode.show.text import ended, moment, money, span

LINES = 300  # of git's output
MOST_FILES = 500  # names in the list of files
BY = {
    "file": f"in {QA}",
    "terminal": "at the terminal",
    "telegram": "on the phone",
    "yes": "by --yes with the suggestion",
}


def write(session: Session, running: bool) -> Path:
    """Write the page into the session folder and return its path. OSError if that fails. The
    temporary file is in _logs, where a new file does not count as progress of a running child."""
    path = session.folder / REPORT
    data = page(session, running).encode()
    temporary = files.create(session.logs / f"{REPORT}.{os.getpid()}", data)
    try:
        temporary.replace(path)
    except IsADirectoryError:
        files.set_aside(path)
        temporary.replace(path)
    return path


def page(session: Session, running: bool) -> str:
    """The page as HTML."""
    state = session.state
    past = Past(session.history.lines())
    folder, logs = Folder(session.folder), Folder(session.folder / LOGS, f"{LOGS}/")
    return document(
        f"{session.name}: Samocode report",
        _head(session, running),
        section("Result", _result(session)),
        section("Iterations", picture(past)),
        section("Where time and money went", spent(past, state.spent), _forecast(session)),
        section("What was asked", *_asked(session)),
        section("Questions and answers", *_questions(session, past)),
        section("Plan", _plan(session, past, folder, logs)),
        section("Commits and changed files", _commits(session)),
        section("What went wrong, and what the loop did about it", trouble(past, logs)),
        section("Each iteration", each(past, logs)),
        section("Files", _files(folder, logs)),
        tag("p", f"Made {moment(local_now().isoformat())} by Samocode "
            f"{state.program}. This page loads nothing and runs nothing.", class_="dim"),
    )  # fmt: skip


def _head(session: Session, running: bool) -> Markup:
    state, tree = session.state, session.state.worktree
    word, waits_for = standing(state, running)
    work = span(sum(phase.seconds for phase in state.spent.values()))
    where = f"Branch {tree.branch}, from {tree.base}" if tree else "Research, without git"
    facts = (
        f"{status.runs(state)} in {work} of work, {money(state)}; begun {moment(state.started)}."
    )
    return joined((
        tag("h1", session.name),
        tag("p", tag("strong", word), ": " if waits_for else "", text(waits_for, BRIEF)),
        tag("p", facts, class_="dim"),
        tag("p", where, class_="dim"),
    ))  # fmt: skip


def _result(session: Session) -> Markup:
    state = session.state
    if state.done is not None:
        return _text(state.done)
    if state.stopped:
        code, why = state.stopped
        title = tag("p", f"Stopped: {ended(code)}")
        return joined((title, _text(why))) if why.strip() else title
    return text("")


def _asked(session: Session) -> Iterator[Markup]:
    texts = session.state.texts
    for at, kind, words in texts[:MOST]:
        yield tag("h3", f"{kind.capitalize()}, {moment(at)}")
        yield _text(words)
    if len(texts) > MOST:
        yield tag("p", f"{len(texts) - MOST} more texts are in {TASK}.", class_="dim")


def _questions(session: Session, past: Past) -> Iterator[Markup]:
    state = session.state
    asked = list(state.asked.values())
    for question in asked[-MOST:]:
        yield tag("h3", f"Q{question.id}: {question.title}")
        if question.why:
            yield tag("p", question.why, class_="dim")
        yield bullets(line for _, line in options(question))
        answer = None if question in state.open else state.answers.get(question.id)
        yield _answer(question, answer, past.answered.get(question.id, ""))
    if len(asked) > MOST:
        yield tag("p", f"{len(asked) - MOST} earlier questions are in {QA}.", class_="dim")


def _answer(question: Question, answer: Answer | None, at: str) -> Markup:
    if answer is None:
        return tag("p", tag("strong", "Not answered yet."))
    who = f"Answered {moment(at)}, {BY.get(answer.by, answer.by or 'by a person')}."
    took = f" Understood as: {', '.join(answer.took)}." if answer.took else ""
    said = answer.text.strip() or question.suggested
    return joined((_text(said), tag("p", who + took, class_="dim")))


def _plan(session: Session, past: Past, folder: Folder, logs: Folder) -> Markup:
    approved = session.state.approved
    if approved is None:
        return text("")
    return tag(
        "p", folder.link(approved.plan), f" was approved {moment(past.approved_at)}. ",
        logs.link(approved.copy, "The text as it was approved"), ".",
    )  # fmt: skip


def _forecast(session: Session) -> Markup:
    state = session.state
    lines = [f"In all: {money(state)}."]
    if state.forecast:
        usd, cost = state.forecast[0], state.spent_since_approval
        lines.append(f"Forecast when the plan was approved: {usd:.2f} USD. Since then: {cost:.2f}.")
    if costs := status.expected(session):
        lines.append(f"Forecast now: {costs}, {span(costs.seconds)}.")
    return joined(tag("p", line) for line in lines)


def _commits(session: Session) -> Markup:
    if session.checkout is None:
        return text("")
    commits, stat = landing.story(*session.checkout)
    shown = joined(tag("pre", _lines(part)) for part in (commits, stat) if part)
    return shown or tag("p", "No commits on the session's branch.", class_="dim")


def _lines(words: str) -> str:
    """The first lines of git's output and the last one, which is the sum of a diffstat."""
    lines = words.splitlines()
    if len(lines) <= LINES:
        return words
    return "\n".join((*lines[:LINES], f"... {len(lines) - LINES - 1} more lines ...", lines[-1]))


def _files(folder: Folder, logs: Folder) -> Markup:
    own = (TASK, OVERVIEW, QA)
    names = [*own, *sorted(name for name in folder.sizes if not name.startswith("_"))]
    shown = [name for name in names if name in folder.sizes]
    kept = [name for name in sorted(logs.sizes) if name.endswith(".md")]
    parts = (
        bullets(joined((folder.link(n), f" ({Size(folder.sizes[n], True)})")) for n in
                shown[:MOST_FILES]),
        tag("p", f"And {len(shown) - MOST_FILES} more.") if len(shown) > MOST_FILES else "",
        tag("h3", f"Plans as they were, in {LOGS}") if kept else "",
        bullets(logs.link(name) for name in kept[:MOST_FILES]),
    )  # fmt: skip
    return joined(parts)


def _text(words: str) -> Markup:
    return tag("div", words.strip(), class_="text")
