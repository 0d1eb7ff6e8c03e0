"""The repository around MAIN_REPO, as the loop looks at it: nothing here writes."""

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
    """The repository that MAIN_REPO lies in; `prefix` is MAIN_REPO's place below its top ("" or
    "sub/"), `common` git's folder for all its worktrees. A plain class: the repr of one must not
    show the environment's secrets."""

    __slots__ = ("common", "environ", "prefix", "top")

    def __init__(self, top: Path, prefix: str, common: Path, environ: Mapping[str, str]) -> None:
        self.top = top
        self.common = common
        self.prefix = prefix
        self.environ = environ

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str]) -> Repository | None:
        """The repository around `folder`, None when there is none. UserError when git refuses to
        work there."""
        try:
            places = ("--show-toplevel", "--show-prefix", "--git-common-dir")
            answer = git(folder, environ, "rev-parse", *places)
        except UserError:  # without git a folder without .git is research
            answer = None
        if answer is not None and answer.returncode == 0:
            top, prefix, common, *_ = answer.stdout.split("\n")
            return cls(Path(top), prefix, (folder / common).resolve(), environ)
        if answer and git(folder, environ, "rev-parse", "--is-bare-repository").stdout == "true\n":
            raise _bare(folder)
        marks = [d for d in (folder, *folder.parents) if (d / ".git").exists()]
        if not marks:
            return None
        why = (
            " ".join(line.strip() for line in answer.stderr.strip().splitlines() if line.strip())
            if answer and answer.stderr.strip()
            else "git is not installed"
        )
        raise UserError(f"MAIN_REPO {folder}: git cannot use the repository at {marks[0]}: {why}")

    def run(self, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """One git command at the top of a worktree, this repository's own unless told otherwise."""
        if cwd is None or cwd == self.top:  # core.worktree may put it below its .git
            return git(self.top, self.environ, *args)
        return in_worktree(cwd, self.environ, *args)

    def call(self, *args: str, cwd: Path | None = None) -> str | None:
        """One git command's stdout, None when it failed."""
        answer = self.run(*args, cwd=cwd)
        return answer.stdout if answer.returncode == 0 else None

    def no_commit(self) -> UserError:
        """What to say where no worktree can be made: there is nothing to start from."""
        here, there = typed(self.top), self.call("ls-files", "-co", "--exclude-standard")
        first = f"{here} add -A && {here} commit" if there else f"{here} commit --allow-empty"
        return UserError(f"MAIN_REPO {self.top} has no commit yet. Run: {first} -m 'First commit'")

    def check_identity(self) -> None:
        """UserError unless git knows who commits here."""
        if self.call("var", "GIT_COMMITTER_IDENT") is None:
            raise UserError(
                "git does not know who commits. Run: git config --global user.name 'Your Name' "
                "&& git config --global user.email you@example.com"
            )

    def current(self) -> str:
        """The branch that is checked out, or the commit."""
        branch = self.call("symbolic-ref", "-q", "--short", "HEAD")
        return (branch or self.call("rev-parse", "HEAD") or "HEAD").strip()

    def commit(self, name: str) -> str | None:
        """The hash of the commit that a name or a hash stands for, None when there is none."""
        found = self.call("rev-parse", "-q", "--verify", f"{name}^{{commit}}")
        return found.strip() if found else None

    def contains(self, old: str, new: str) -> bool:
        """Whether one commit is in the history of another."""
        return self.call("merge-base", "--is-ancestor", old, new) is not None

    def other_holder(self, at: Path) -> Path | None:
        """The git folder of the other repository that the worktree at a path belongs to."""
        own = gitdir.of(at)
        common = files.read_any(own / "commondir").decode(errors="surrogateescape").rstrip("\n")
        there = (own / common).resolve()
        return there if common and there != self.common else None

    def ignores(self, path: Path) -> bool:
        """Whether git does not see this path (outside the repository, or ignored)."""
        if not path.resolve().is_relative_to(self.top.resolve()):
            return True
        return self.call("check-ignore", "-q", str(path.resolve())) is not None


def _bare(folder: Path) -> UserError:
    if (folder / ".git").is_dir():  # somebody's `git config core.bare true` met the wrong one
        mend = f"{typed(folder)} config core.bare false"
        return UserError(f"MAIN_REPO {folder} has core.bare set by mistake. Run: {mend}")
    return UserError(
        f"MAIN_REPO {folder} is a bare repository: set it to one of its worktrees "
        f"({typed(folder)} worktree list)."
    )
