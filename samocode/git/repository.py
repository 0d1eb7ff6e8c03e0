"""The repository of MAIN_REPO. Nothing here writes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import final

from samocode.git import gitdir
from samocode.git.command import git, in_worktree, typed
from samocode.record import files
from samocode.record.exits import UserError


@final
class Repository:
    """The repository that contains MAIN_REPO. `prefix` is MAIN_REPO relative to `top` ("" or
    "sub/"). `common` is the git folder shared by all worktrees. Not a NamedTuple: its repr would
    show the secrets in `environ`."""

    __slots__ = ("common", "environ", "prefix", "top")

    def __init__(self, top: Path, prefix: str, common: Path, environ: Mapping[str, str]) -> None:
        self.top = top
        self.common = common
        self.prefix = prefix
        self.environ = environ

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str]) -> Repository | None:
        """Return the repository around `folder`, or None. UserError if git refuses to use it."""
        try:
            places = ("--show-toplevel", "--show-prefix", "--git-common-dir")
            answer = git(folder, environ, "rev-parse", *places)
        except UserError:  # git is missing, but without a .git it is not needed
            answer = None
        if answer is not None and answer.returncode == 0:
            top, prefix, common, *_ = answer.stdout.split("\n")
            return cls(Path(top), prefix, files.real(folder / common), environ)
        if answer and git(folder, environ, "rev-parse", "--is-bare-repository").stdout == "true\n":
            raise _bare(folder)
        marks = [d for d in (folder, *folder.parents) if (d / ".git").exists()]
        if not marks:
            return None
        why = (
            " ".join(line.strip() for line in answer.stderr.strip().splitlines() if line.strip())
            if answer and answer.stderr.strip()
            else "git is not installed, or not on PATH: install it"
        )
        raise UserError(f"MAIN_REPO {folder}: git cannot use the repository at {marks[0]}: {why}")

    @property
    def is_linked(self) -> bool:
        """Whether MAIN_REPO is in a worktree that `git worktree add` made."""
        return files.real(gitdir.of(self.top)) != files.real(self.common)

    def run(self, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run git at the top of a worktree, by default of the main one."""
        if cwd is None or cwd == self.top:  # with core.worktree, `top` may have no .git
            return git(self.top, self.environ, *args)
        return in_worktree(cwd, self.environ, *args)

    def call(self, *args: str, cwd: Path | None = None) -> str | None:
        """Return the stdout of a git command, or None if it failed."""
        answer = self.run(*args, cwd=cwd)
        return answer.stdout if answer.returncode == 0 else None

    def no_commit(self) -> UserError:
        """Return the error for a repository without any commit."""
        here, there = typed(self.top), self.call("ls-files", "-co", "--exclude-standard")
        first = f"{here} add -A && {here} commit" if there else f"{here} commit --allow-empty"
        return UserError(f"MAIN_REPO {self.top} has no commit yet. Run: {first} -m 'First commit'")

    def check_identity(self) -> None:
        """Raise UserError if git has no name and email for a commit."""
        if self.call("var", "GIT_COMMITTER_IDENT") is None:
            raise UserError(
                "git does not know who commits. Run: git config --global user.name 'Your Name' "
                "&& git config --global user.email you@example.com"
            )

    def current(self) -> str:
        """Return the checked-out branch, or the commit of a detached HEAD."""
        branch = self.call("symbolic-ref", "-q", "--short", "HEAD")
        return (branch or self.call("rev-parse", "HEAD") or "HEAD").strip()

    def commit(self, name: str) -> str | None:
        """Return the commit hash of a name, or None."""
        found = self.call("rev-parse", "-q", "--verify", f"{name}^{{commit}}")
        return found.strip() if found else None

    def contains(self, old: str, new: str) -> bool:
        """Whether `old` is an ancestor of `new`."""
        return self.call("merge-base", "--is-ancestor", old, new) is not None

    def other_holder(self, at: Path) -> Path | None:
        """Return the git folder that the worktree at `at` belongs to, None if it is this one's."""
        own = gitdir.of(at)
        common = files.read_any(own / "commondir").decode(errors="surrogateescape").rstrip("\n")
        there = files.real(own / common)
        return there if common and there != self.common else None

    def ignores(self, path: Path) -> bool:
        """Whether git ignores the path, or it is outside the repository."""
        if not files.real(path).is_relative_to(files.real(self.top)):
            return True
        return self.call("check-ignore", "-q", str(files.real(path))) is not None


def _bare(folder: Path) -> UserError:
    if (folder / ".git").is_dir():  # core.bare was set by mistake
        command = f"{typed(folder)} config core.bare false"
        return UserError(f"MAIN_REPO {folder} has core.bare set by mistake. Run: {command}")
    return UserError(
        f"MAIN_REPO {folder} is a bare repository: set it to one of its worktrees "
        f"({typed(folder)} worktree list)."
    )
