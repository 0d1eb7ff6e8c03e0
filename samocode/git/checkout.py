"""A session's worktree, as the loop looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from samocode.git import worktree as worktrees
from samocode.git.repository import Repository
from samocode.record.exits import UserError
from samocode.record.state import Worktree, WorktreeStatus


class Checkout(NamedTuple):
    """A session's worktree and the repository it belongs to. A session without git has none."""

    repository: Repository
    worktree: Worktree

    @property
    def cwd(self) -> Path:
        """MAIN_REPO's place in the worktree."""
        return self.worktree.path / self.repository.prefix

    def status(self) -> WorktreeStatus:
        """HEAD and the tracked changes."""
        return self.repository.status(self.worktree.path)

    def untracked(self) -> tuple[str, ...]:
        """Files that git neither tracks nor ignores."""
        return self.repository.untracked(self.worktree.path)

    def other_branch(self) -> str:
        """What is checked out in place of the session's branch; empty when that is."""
        answer = self.repository.call(
            "symbolic-ref", "-q", "--short", "HEAD", cwd=self.worktree.path
        )
        branch = (answer or "no branch").strip()
        return "" if branch == self.worktree.branch else branch

    def ensure(self) -> str | None:
        """Make the worktree usable; what was done, None when nothing had to be."""
        done = worktrees.ensure(self.repository, self.worktree)
        if not self.cwd.is_dir():
            raise UserError(
                f"{self.repository.prefix} is not in branch {self.worktree.branch}: commit that "
                "folder to the base branch, or set MAIN_REPO to the repository's top."
            )
        return done
