"""The only door to git. It looks, and makes the session's own branch and worktree; it changes
nothing else."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from samocode.errors import UserError

STATUS = [
    "status",
    "--porcelain",
    "-z",
    "--no-renames",
    "--untracked-files=no",
    "--ignore-submodules=none",
]
HALF_MADE = ("failed to read", "not a git repository", ".lock", "File exists")
WORKTREE_WAITS = (0.1, 0.3, 1.0, 3.0)  # seconds before the tries after the first
TIMEOUT = 300  # seconds; a worktree of a very large repository takes minutes
LOCATION_VARIABLES = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_NAMESPACE",
)  # fmt: skip
"""Set by git for its own hooks and aliases; inherited, they send every git command to the wrong
repository."""


@dataclass(frozen=True)
class Worktree:
    """Where a session's code lives: `path` on `branch`, cut from the commit or branch named by
    `base`."""

    path: Path
    branch: str
    base: str


@dataclass(frozen=True)
class State:
    """What is checked out: HEAD's hash, and for every tracked file that differs from it a hash of
    its content."""

    head: str
    dirty: Mapping[str, str] = field(default_factory=dict[str, str])

    def changes_since(self, before: State) -> tuple[str, ...]:
        """The names that tell this state from an earlier one; empty when nothing tracked
        changed."""
        moved = (
            (f"HEAD ({before.head[:9]} -> {self.head[:9]})",) if self.head != before.head else ()
        )
        names = {
            n for n in {*self.dirty, *before.dirty} if self.dirty.get(n) != before.dirty.get(n)
        }
        return moved + tuple(sorted(names))


@dataclass(frozen=True)
class Repository:
    """The repository that MAIN_REPO lies in; `prefix` is MAIN_REPO's place below its top ("" or
    "sub/")."""

    top: Path
    prefix: str
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str]) -> Repository | None:
        """The repository around `folder`, None when there is none. UserError when git refuses to
        work there."""
        try:
            answer = _git(folder, environ, "rev-parse", "--show-toplevel", "--show-prefix")
        except FileNotFoundError:
            answer = None
        if answer is not None and answer.returncode == 0:
            top, _, prefix = answer.stdout.partition("\n")
            return cls(Path(top), prefix.rstrip("\n"), environ)
        marks = [d for d in (folder, *folder.parents) if (d / ".git").exists()]
        if not marks:
            return None
        why = (
            answer.stderr.strip().splitlines()[0]
            if answer and answer.stderr.strip()
            else "git is not installed"
        )
        raise UserError(f"MAIN_REPO {folder}: git cannot use the repository at {marks[0]}: {why}")

    def call(self, *args: str, cwd: Path | None = None) -> str | None:
        """One git command's stdout, None when it failed."""
        answer = _git(cwd or self.top, self.environ, *args)
        return answer.stdout if answer.returncode == 0 else None

    def check(self) -> None:
        """UserError unless a worktree can be made and committed in here."""
        if self.call("rev-parse", "--verify", "-q", "HEAD^{commit}") is None:
            raise UserError(
                f"MAIN_REPO {self.top} has no commit yet. Run: git -C {self.top} commit "
                "--allow-empty -m 'First commit'"
            )
        if self.call("var", "GIT_COMMITTER_IDENT") is None:
            raise UserError(
                "git does not know who commits. Run: git config --global user.name 'Your Name' "
                "&& git config --global user.email you@example.com"
            )

    def base(self, wanted: str | None) -> str:
        """The branch to start from (protocol.md, The worktree): BASE_BRANCH, origin's default,
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
        return self.call("rev-parse", "-q", "--verify", f"refs/heads/{branch}") is not None

    def ensure(self, worktree: Worktree) -> str | None:
        """Make the worktree usable; None when it was, else what was done. UserError when something
        is in the way."""
        checked_out = self._registered()
        if (at := worktree.path.resolve()) in checked_out and at.is_dir():
            self._wait_until_made(at)
            return None
        if at.exists():
            raise UserError(
                f"{at} is there and is no worktree of {self.top}: move it away and run again."
            )
        holder = next((p for p, b in checked_out.items() if b == worktree.branch and p != at), None)
        if holder:
            raise UserError(
                f"Branch {worktree.branch} is checked out in {holder}: switch that to another "
                "branch."
            )
        at.parent.mkdir(parents=True, exist_ok=True)
        new = not self.exists(worktree.branch)
        self._worktree("add", "-f", arguments=lambda: self._target(worktree))
        if new:
            return f"worktree {at} on new branch {worktree.branch}, from {worktree.base}"
        return f"worktree {at} made again from branch {worktree.branch}"

    def _target(self, worktree: Worktree) -> list[str]:
        """What to check out where; a try that failed half-way may have made the branch."""
        path = str(worktree.path.resolve())
        if self.exists(worktree.branch):
            return [path, worktree.branch]
        return ["--no-track", "-b", worktree.branch, path, self._full(worktree.base)]

    def check_free(self, worktree: Worktree) -> None:
        """UserError when a new session's path or branch is somebody else's already."""
        if self.exists(worktree.branch):
            raise UserError(
                f"Branch {worktree.branch} exists already: choose another --session name, or "
                "remove the branch."
            )
        if worktree.path.exists() or worktree.path.resolve() in self._registered():
            raise UserError(
                f"{worktree.path} is taken already: choose another --session name, or move it away."
            )

    def ignores(self, path: Path) -> bool:
        """Whether git does not see this path (outside the repository, or ignored)."""
        if not path.resolve().is_relative_to(self.top.resolve()):
            return True
        return self.call("check-ignore", "-q", str(path.resolve())) is not None

    def state(self, cwd: Path) -> State:
        """HEAD and the tracked changes of one worktree. UserError when git cannot say."""
        head = self.call("rev-parse", "HEAD", cwd=cwd)
        # `git diff` would rewrite the index whatever GIT_OPTIONAL_LOCKS says; status heeds it.
        status = self.call(*STATUS, cwd=cwd)
        if head is None or status is None:
            look = f"git -C {cwd} status"
            raise UserError(f"git cannot read the worktree {cwd}: look at it: {look}", exit_code=3)
        names = [entry[3:] for entry in status.split("\0") if entry]
        return State(head.strip(), {name: _digest(cwd / name) for name in names})

    def untracked(self, cwd: Path) -> tuple[str, ...]:
        """Files that git does not track and does not ignore."""
        names = self.call("ls-files", "-z", "-o", "--exclude-standard", cwd=cwd) or ""
        return tuple(name for name in names.split("\0") if name)

    def story(self, worktree: Worktree) -> tuple[str, str]:
        """(commits since the base, diff --stat against it), as git prints them; for people."""
        base, branch = self._full(worktree.base), self._full(worktree.branch)
        commits = self.call("log", "--oneline", "--no-decorate", f"{base}..{branch}") or ""
        stat = self.call("diff", "--stat", f"{base}...{branch}") or ""
        return commits.rstrip(), stat.rstrip()

    def _worktree(self, *args: str, arguments: Callable[[], list[str]] = list) -> str:
        """`git worktree ...`, tried again where it met another worktree half made."""
        tries = iter(WORKTREE_WAITS)
        while True:
            answer = _git(self.top, self.environ, "worktree", *args, *arguments())
            if answer.returncode == 0:
                return answer.stdout
            why = answer.stderr.strip()
            wait = next(tries, None) if any(word in why for word in HALF_MADE) else None
            if wait is None:
                said = why.splitlines()[-1] if why else "it did not say why"
                raise UserError(f"git worktree {args[0]} failed in {self.top}: {said}")
            time.sleep(wait)

    def _wait_until_made(self, at: Path) -> None:
        """A loop killed in `git worktree add` leaves git at work; git locks the worktree until it
        is whole."""
        for _ in range(TIMEOUT):
            if "initializing" not in self._listed().get(at, {}).get("locked", ""):
                return
            time.sleep(1)
        remove = f"git -C {self.top} worktree remove -f -f {at}"
        raise UserError(f"{at} was never finished. Run: {remove} and start again.")

    def _listed(self) -> dict[Path, dict[str, str]]:
        """What `git worktree list` says of each worktree (-z would need git 2.36)."""
        found: dict[Path, dict[str, str]] = {}
        for block in self._worktree("list", "--porcelain").split("\n\n"):
            entries = [line.partition(" ") for line in block.splitlines()]
            lines = {key: value for key, _, value in entries}
            if "worktree" in lines:
                found[Path(lines["worktree"]).resolve()] = lines
        return found

    def _registered(self) -> dict[Path, str]:
        """Path -> branch ("" when detached) of every worktree git knows."""
        listed = self._listed().items()
        return {at: of.get("branch", "").removeprefix("refs/heads/") for at, of in listed}

    def _full(self, name: str) -> str:
        """A branch by its full name, so that no tag is taken for it; anything else as it is."""
        refs = (f"refs/heads/{name}", f"refs/remotes/{name}")
        return next((ref for ref in refs if self.call("rev-parse", "-q", "--verify", ref)), name)

    def _copies(self, name: str) -> list[str]:
        """The local and the origin copy of a branch, those that exist."""
        refs = {name: f"refs/heads/{name}", f"origin/{name}": f"refs/remotes/origin/{name}"}
        return [
            short
            for short, ref in refs.items()
            if self.call("rev-parse", "-q", "--verify", ref) is not None
        ]

    def _newer(self, copies: list[str]) -> str:
        """Of two copies the one that contains the other; diverged: the local one."""
        if len(copies) == 2 and self.call("merge-base", "--is-ancestor", *copies) is not None:
            return copies[1]
        return copies[0]


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables that would send git to another repository."""
    return {name: value for name, value in environ.items() if name not in LOCATION_VARIABLES}


def _git(cwd: Path, environ: Mapping[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    if not cwd.is_dir():
        return subprocess.CompletedProcess(args, 128, "", f"{cwd} is no directory")
    try:
        return subprocess.run(
            ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *args],
            cwd=cwd,
            env={
                **clean(environ),
                "GIT_OPTIONAL_LOCKS": "0",
                "GIT_TERMINAL_PROMPT": "0",
                "LC_ALL": "C",
            },
            capture_output=True,
            text=True,
            errors="surrogateescape",
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(args, 124, "", f"git gave no answer in {TIMEOUT} s")


def _digest(path: Path) -> str:
    """A short hash of what stands at a path: a file's bytes, a link's target, or the word for
    nothing."""
    if path.is_symlink():
        return "link:" + str(path.readlink())
    if not path.is_file():
        return "gone" if not path.exists() else "folder"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
