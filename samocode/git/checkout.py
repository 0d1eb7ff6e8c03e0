"""A session's worktree and its repository."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from samocode.git import status
from samocode.git import worktree as worktrees
from samocode.git.repository import Repository
from samocode.record.exits import ExitCode, UserError
from samocode.record.state import Worktree, WorktreeStatus


class Checkout(NamedTuple):
    """A session's worktree and its repository. A session without git has no Checkout."""

    repository: Repository
    worktree: Worktree

    @property
    def cwd(self) -> Path:
        """The folder in the worktree that corresponds to MAIN_REPO."""
        return self.worktree.path / self.repository.prefix

    def status(self, refresh: bool = False) -> WorktreeStatus:
        """Read HEAD, branch, changed and untracked files with one git command."""
        repository, path = self.repository, self.worktree.path
        return status.look(path, repository.environ, repository.top, refresh)

    def changes(self, before: WorktreeStatus, now: WorktreeStatus) -> tuple[str, ...]:
        """What differs between two statuses: see `status.changes`."""
        return status.changes(self.worktree.path, self.repository.environ, before, now)

    def ignored(self) -> tuple[str, ...]:
        """The files and whole folders that git ignores in the worktree."""
        said = self.repository.call(
            "status", "--porcelain", "-z", "--ignored", cwd=self.worktree.path
        )
        entries = (said or "").split("\0")
        return tuple(entry[3:] for entry in entries if entry.startswith("!! "))

    def unpushed(self) -> list[str]:
        """Return the submodules that the session set to a commit that none of their remotes has."""
        environ, tree = self.repository.environ, self.worktree
        found = status.gitlinks(tree.path, environ, tree.commit) if tree.commit else {}
        asked = ("rev-list", "-1", "--not", "--remotes", "--not")
        call = self.repository.call
        return [name for name, at in found.items() if call(*asked, at, cwd=tree.path / name)]

    def ensure(self, head: str | None) -> str | None:
        """Create the worktree if needed, see `worktree.ensure`. Return what was done, or None."""
        done = worktrees.ensure(self.repository, self.worktree, head)
        if not self.cwd.is_dir():
            raise UserError(
                f"{self.repository.prefix} is gone from {self.worktree.path}: the session's own "
                "work renamed or removed it. Put it back there, or begin a new session with "
                f"MAIN_REPO set to its new place and BASE_BRANCH={self.worktree.branch}.",
                exit_code=ExitCode.BLOCKED,
            )
        return done
