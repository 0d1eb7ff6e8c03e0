"""The branches of a repository, read by one git command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from samocode.git.repository import Repository
from samocode.record.exits import UserError

LOCAL, REMOTE = "refs/heads/", "refs/remotes/"
FIELDS = "--format=%(refname)%00%(objectname)%00%(symref)%00%(worktreepath)"


class Branches(NamedTuple):
    """A snapshot of all branches."""

    repository: Repository
    commits: Mapping[str, str]
    """Full ref name to commit, for every local and remote branch."""
    holders: Mapping[str, Path]
    """Local branch to the worktree that has it checked out."""
    default: str | None
    """The branch that origin/HEAD points to."""

    @classmethod
    def read(cls, repository: Repository) -> Branches:
        """Read the branches. UserError if git fails: "no branches" would choose a wrong base."""
        answer = repository.run("for-each-ref", FIELDS, LOCAL, REMOTE)
        if answer.returncode != 0:
            raise UserError(
                f"git (2.23 or newer is needed) cannot list the branches of {repository.top}: "
                f"{answer.stderr.strip()}"
            )
        rows = [row.split("\0") for row in answer.stdout.split("\n") if row]
        held = {name.removeprefix(LOCAL): Path(at) for name, _, _, at in rows if at}
        default = next((to for name, _, to, _ in rows if name == f"{REMOTE}origin/HEAD"), None)
        commits = {name: commit for name, commit, _, _ in rows if not name.endswith("/HEAD")}
        return cls(repository, commits, held, default and default.removeprefix(f"{REMOTE}origin/"))

    def has(self, branch: str) -> bool:
        """Whether the local branch exists."""
        return LOCAL + branch in self.commits

    def holder(self, branch: str) -> Path | None:
        """Return the existing folder where a local branch is checked out."""
        at = self.holders.get(branch)
        return at if at and at.is_dir() else None

    def full(self, name: str) -> str:
        """Return a branch's full ref name, which no tag can shadow. Return other names as is."""
        return next((p + name for p in (LOCAL, REMOTE) if p + name in self.commits), name)

    def short(self, name: str) -> str:
        """Return a branch's name without its remote."""
        return name.partition("/")[2] if self.full(name).startswith(REMOTE) else name

    def commit(self, name: str) -> str | None:
        """Return the commit of a branch or hash, or None."""
        return self.commits.get(self.full(name)) or self.repository.commit(name)

    def base(self, wanted: str | None) -> str:
        """Choose the branch to start from: BASE_BRANCH, origin's default, main, master, current."""
        if wanted and not self._copies(wanted):
            raise UserError(
                f"BASE_BRANCH {wanted} is not a branch of {self.repository.top}: correct or "
                "remove it in .samocode."
            )
        names = [wanted, self.default, "main", "master"]
        copies = next((found for n in names if n and (found := self._copies(n))), None)
        return self._newer(copies) if copies else self.repository.current()

    def start(self, wanted: str | None) -> tuple[str, str]:
        """Return the base of a new session and its commit. UserError if it cannot start there."""
        base, place = self.base(wanted), self.repository.prefix.rstrip("/")
        commit = self.commit(base)
        if commit is None and self.commits:
            other = next(iter(self.commits)).split("/", 2)[2]
            raise UserError(f"{base} has no commit: set BASE_BRANCH in .samocode, such as {other}.")
        if commit is None:
            raise self.repository.no_commit()
        if place and self.repository.call("cat-file", "-e", f"{commit}:{place}") is None:
            raise UserError(
                f"{place} is not in {base}, where the session would start: commit that folder "
                "there, or set MAIN_REPO to the repository's top."
            )
        return base, commit

    def _copies(self, name: str) -> list[str]:
        """Return the existing refs of a branch: its local and origin copies, else the remote branch
        of exactly this name (`origin/main`)."""
        refs = {name: LOCAL + name, f"origin/{name}": f"{REMOTE}origin/{name}"}
        found = [short for short, ref in refs.items() if ref in self.commits]
        return found or [name] * (REMOTE + name in self.commits)

    def _newer(self, copies: list[str]) -> str:
        """Return the copy that contains the other, or the local one if they diverged."""
        commits = [self.commits[self.full(copy)] for copy in copies]
        older = len(set(commits)) == 2 and self.repository.contains(*commits)
        return copies[1] if older else copies[0]
