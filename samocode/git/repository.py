"""The repository around MAIN_REPO, as the loop looks at it: nothing here writes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import final

from samocode.git.command import git, in_worktree, typed
from samocode.record.exits import UserError
from samocode.record.state import Worktree


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

    def check(self) -> None:
        """UserError unless a worktree can be made and committed in here."""
        if self.call("rev-parse", "--verify", "-q", "HEAD^{commit}") is None:
            here, there = typed(self.top), self.call("ls-files", "-co", "--exclude-standard")
            first = f"{here} add -A && {here} commit" if there else f"{here} commit --allow-empty"
            raise UserError(
                f"MAIN_REPO {self.top} has no commit yet. Run: {first} -m 'First commit'"
            )
        if self.call("var", "GIT_COMMITTER_IDENT") is None:
            raise UserError(
                "git does not know who commits. Run: git config --global user.name 'Your Name' "
                "&& git config --global user.email you@example.com"
            )

    def base(self, wanted: str | None) -> str:
        """The branch to start from: BASE_BRANCH, origin's default,
        main, master, current."""
        if wanted and not self._copies(wanted):
            raise UserError(
                f"BASE_BRANCH {wanted} is no branch of {self.top}: correct or remove it in "
                ".samocode."
            )
        head = self.call("symbolic-ref", "-q", "--short", "refs/remotes/origin/HEAD")
        names = [wanted, head.strip().removeprefix("origin/") if head else None, "main", "master"]
        name = next((n for n in names if n and self._copies(n)), None)
        if name:
            return self._newer(self._copies(name))
        current = (
            self.call("symbolic-ref", "-q", "--short", "HEAD")
            or self.call("rev-parse", "HEAD")
            or "HEAD"
        )
        return current.strip()

    def exists(self, branch: str) -> bool:
        """Whether a local branch of this name is there."""
        return self._has(f"refs/heads/{branch}")

    def _has(self, ref: str) -> bool:
        return self.call("rev-parse", "-q", "--verify", ref) is not None

    def commit(self, name: str) -> str | None:
        """The hash of the commit that a branch or a hash names, None when there is none."""
        found = self.call("rev-parse", "-q", "--verify", f"{self.full(name)}^{{commit}}")
        return found.strip() if found else None

    def other_holder(self, at: Path) -> Path | None:
        """The git folder of the other repository that the worktree at a path belongs to."""
        places = [self.call("rev-parse", "--git-common-dir", cwd=cwd) for cwd in (at, self.top)]
        if not all(places):
            return None
        there, here = (
            (cwd / str(place).rstrip("\n")).resolve()
            for cwd, place in zip((at, self.top), places, strict=True)
        )
        return there if there != here and not there.is_relative_to(at.resolve()) else None

    def ignores(self, path: Path) -> bool:
        """Whether git does not see this path (outside the repository, or ignored)."""
        if not path.resolve().is_relative_to(self.top.resolve()):
            return True
        return self.call("check-ignore", "-q", str(path.resolve())) is not None

    def story(self, worktree: Worktree) -> tuple[str, str]:
        """(commits since the base, diff --stat against it), as git prints them; for people. A base
        that was renamed or deleted meanwhile is the commit that it was."""
        base = self.commit(worktree.base) or worktree.commit or "HEAD"
        branch = self.full(worktree.branch)
        commits = self.call("log", "--oneline", "--no-decorate", f"{base}..{branch}") or ""
        stat = self.call("diff", "--stat", f"{base}...{branch}") or ""
        return commits.rstrip(), stat.rstrip()

    def full(self, name: str) -> str:
        """A branch by its full name, so that no tag is taken for it; anything else as it is."""
        refs = (f"refs/heads/{name}", f"refs/remotes/{name}")
        return next(filter(self._has, refs), name)

    def _copies(self, name: str) -> list[str]:
        """The local and the origin copy of a branch, those that exist; else the branch of a remote
        that has this very name (`origin/main`)."""
        refs = {name: f"refs/heads/{name}", f"origin/{name}": f"refs/remotes/origin/{name}"}
        found = [short for short, ref in refs.items() if self._has(ref)]
        return found or [name] * self._has(f"refs/remotes/{name}")

    def _newer(self, copies: list[str]) -> str:
        """Of two copies the one that contains the other; diverged: the local one."""
        if len(copies) == 2 and self.call("merge-base", "--is-ancestor", *copies) is not None:
            return copies[1]
        return copies[0]


def _bare(folder: Path) -> UserError:
    if (folder / ".git").is_dir():  # somebody's `git config core.bare true` met the wrong one
        mend = f"{typed(folder)} config core.bare false"
        return UserError(f"MAIN_REPO {folder} has core.bare set by mistake. Run: {mend}")
    return UserError(
        f"MAIN_REPO {folder} is a bare repository: set it to one of its worktrees "
        f"({typed(folder)} worktree list)."
    )
