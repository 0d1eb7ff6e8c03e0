"""One session's folder: its files, its code, and what stands in it between iterations."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from samocode import files, questions, signals, worktrees
from samocode.errors import UserError
from samocode.git import Repository, State, Worktree
from samocode.history import FILE as HISTORY
from samocode.history import History
from samocode.outside import mapping, parse
from samocode.project import Project
from samocode.questions import Document, Question

TASK, OVERVIEW, QA, ITERATION, LOCK, LOGS = (
    "_task.md",
    "_overview.md",
    "_qa.md",
    "_iteration.json",
    "_worker.lock",
    "_logs",
)
SKELETON = """# {name}

## Status
Phase: investigation
Last action: none yet
Next: read _task.md and begin

## Decisions

## Flow log

## Files
"""


@dataclass
class Session:
    """An open session. `repository` is None when MAIN_REPO is in no git repository: research
    only."""

    folder: Path
    project: Project
    repository: Repository | None
    history: History = field(repr=False)
    _iteration_text: str = field(default="", repr=False, init=False)

    @property
    def name(self) -> str:
        """The folder's name, which also names worktree and branch."""
        return self.folder.name

    @property
    def worktree(self) -> Worktree | None:
        """Path, branch and base as the first history line has them."""
        return self.history.past.worktree

    @property
    def cwd(self) -> Path:
        """Where the child works: MAIN_REPO's place in the worktree, or MAIN_REPO itself without
        git."""
        if self.worktree is None or self.repository is None:
            return self.project.main_repo
        return self.worktree.path / self.repository.prefix

    @property
    def top(self) -> Path | None:
        """Where the worktree begins, None without git."""
        return self.worktree.path if self.worktree else None

    def code(self) -> State | None:
        """The state of the session's code, None without git."""
        if self.worktree is None or self.repository is None:
            return None
        return self.repository.state(self.worktree.path)

    def head(self) -> str | None:
        """The commit that is checked out, None without git."""
        if self.worktree is None or self.repository is None:
            return None
        return self.repository.head(self.worktree.path)

    def untracked(self) -> tuple[str, ...]:
        """Files in the worktree that git neither tracks nor ignores."""
        if self.worktree is None or self.repository is None:
            return ()
        return self.repository.untracked(self.worktree.path)

    def ensure_worktree(self) -> str | None:
        """Make the worktree usable; what was done, None when nothing had to be."""
        if self.worktree is None:
            return None
        if self.repository is None:
            raise UserError(
                f"{self.name} began in a git repository and {self.project.main_repo} is in none "
                "now."
            )
        done = worktrees.ensure(self.repository, self.worktree)
        if not self.cwd.is_dir():
            raise UserError(
                f"{self.repository.prefix} is not in branch {self.worktree.branch}: commit that "
                "folder to the base branch, or set MAIN_REPO to the repository's top."
            )
        return done

    def read_questions(self) -> Document:
        """`_qa.md` as it stands; something that cannot be read holds no question."""
        path = self.folder / QA
        try:
            return questions.parse(files.read_text(path) or "")
        except files.Unreadable:
            return questions.parse("")

    def clear_questions(self) -> None:
        """Set aside what stands in the place of `_qa.md` and cannot be read."""
        try:
            files.read(self.folder / QA)
        except files.Unreadable:
            files.set_aside(self.folder / QA)

    def change_questions(self, change: Callable[[Document], Document]) -> Document:
        """Replace `_qa.md` by what `change` makes of it, and return that; again when somebody saved
        the file meanwhile."""
        while True:
            now = self.read_questions()
            text = change(now).text()
            unchanged = text == now.text()
            if unchanged or now.text() == self.read_questions().text():
                if not unchanged:
                    files.write(self.folder / QA, text)
                return questions.parse(text)

    def recorded(self, document: Document, number: int) -> Question:
        """A question on record as it must stand: as in `document` when its answer is the recorded
        one, else rebuilt from the record."""
        past = self.history.past
        answer, stands = past.answers.get(number), document.find(number)
        if stands and stands.answer == answer:
            return stands
        rebuilt = past.asked[number].question
        return questions.answered(rebuilt, answer) if answer is not None else rebuilt

    def situation(self, document: Document, code: State | None) -> signals.Situation:
        """What a signal is judged by: the same for the loop and for the Stop hook. `document` is
        `_qa.md`, `code` what `code()` says."""
        past = self.history.past
        still_open = [q for q in document.questions if q.id not in past.answers]
        return signals.Situation(
            folder=self.folder,
            phase=past.phase,
            approved=past.approved is not None,
            git=self.worktree is not None,
            open_questions=tuple(q.id for q in still_open),
            unsuggested=tuple(
                q.id for q in still_open if not q.suggested and q.id not in past.asked
            ),
            question_problems=questions.problems(document, past.asked),
            uncommitted=self._uncommitted(code),
            strayed=self._strayed(),
        )

    def _uncommitted(self, code: State | None) -> tuple[str, ...]:
        """Tracked changes that are the session's: before approval, less what stood at the start."""
        past = self.history.past
        if code is None or past.approved:
            return tuple(code.dirty) if code else ()
        known = past.baseline or State("")
        return tuple(name for name in code.dirty if known.dirty.get(name) != code.dirty[name])

    def _strayed(self) -> str:
        """Where HEAD is when it left the session's branch after approval; empty when it did not."""
        if self.worktree is None or self.repository is None or not self.history.past.approved:
            return ""
        here = self.repository.call("symbolic-ref", "-q", "--short", "HEAD", cwd=self.worktree.path)
        branch = (here or "no branch").strip()
        return "" if branch == self.worktree.branch else branch

    def changed_code(self, code: State | None) -> tuple[str, ...]:
        """Tracked files that changed though no approved plan allows it."""
        past = self.history.past
        if code is None or past.approved or past.baseline is None:
            return ()
        return code.changes_since(past.baseline)

    def write_iteration(self, values: Mapping[str, object]) -> None:
        """`_iteration.json`: the one thing in a child's view that changes every time."""
        self._iteration_text = json.dumps(values, indent=1) + "\n"
        files.write(self.folder / ITERATION, self._iteration_text)

    def put_iteration_right(self) -> None:
        """A forged `_iteration.json` must not pass for one that a killed loop began."""
        if files.read_any(self.folder / ITERATION) != self._iteration_text.encode():
            files.write(self.folder / ITERATION, self._iteration_text)

    def pending_iteration(self) -> Mapping[str, object] | None:
        """The iteration that a killed loop began and never recorded."""
        found = mapping(parse(files.read_any(self.folder / ITERATION)))
        return found if found.get("iteration") == self.history.past.iteration + 1 else None

    @property
    def logs(self) -> Path:
        """The folder of logs and approved plans; there again when a child tidied it away."""
        path = self.folder / LOGS
        if path.is_symlink() or not path.is_dir():
            if path.is_symlink() or path.exists():
                files.set_aside(path)
            path.mkdir(mode=0o700)
        return path

    def log(self, number: int, phase: str, now: datetime) -> Path:
        """The log file of an iteration; free even when a killed loop took the same minute."""
        return self.new_log(f"{number:03d}-{now:%m-%d-%H%M}-{phase}", ".jsonl")

    def new_log(self, stem: str, suffix: str = ".log") -> Path:
        """A name in the logs folder that is not taken: no log is ever overwritten."""
        path, extra = self.logs / f"{stem}{suffix}", 1
        while path.exists() or path.is_symlink() or path.with_suffix(".stderr").exists():
            extra += 1
            path = path.with_name(f"{stem}-{extra}{suffix}")
        return path

    def restore_overview(self) -> str | None:
        """The skeleton again when `_overview.md` is no notebook; why, None when it is one. The next
        child is told where the old one lies."""
        path, why, listed = self.folder / OVERVIEW, f"{OVERVIEW} was missing or empty", ""
        try:
            if (files.read(path) or b"").strip():
                return None
        except files.Unreadable as error:
            kept = files.set_aside(path).name
            why = f"{error}, and is {kept} now"
            listed = f"- {kept}: the notebook until now; take what counts from it, in few words\n"
        files.write(path, SKELETON.format(name=self.name) + listed)
        return f"{why}: the skeleton is back."


def open_session(
    project: Project, folder: Path, environ: Mapping[str, str], repair: bool = True
) -> Session:
    """An existing session's folder as a Session; `repair` only while holding the lock."""
    history = History(folder / HISTORY).load(repair)
    if history.past.started is None:
        raise UserError(
            f"{folder} has lost its _history.jsonl: put it back (see _history.jsonl.kept-*), or "
            "begin a new session."
        )
    tree = history.past.worktree
    repository = Repository.find(project.main_repo, environ) if tree else None
    if repository and tree and tree.commit and repository.commit(tree.commit) is None:
        raise UserError(
            f"{folder} is a session of another repository (its commit {tree.commit[:9]} is not in "
            f"{repository.top}): choose another --session name, or give each project its own "
            "SESSIONS."
        )
    if repository and tree and (other := repository.other_holder(tree.path)):
        raise UserError(
            f"{folder} is a session of another clone ({tree.path} belongs to {other}): choose "
            "another --session name, or give each project its own SESSIONS."
        )
    return Session(folder, project, repository, history)
