"""Detect changes to what a worktree shares with the user's checkout: configuration, refs, hooks."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path
from typing import NamedTuple, final

from samocode.git import gitdir
from samocode.git.repository import Repository
from samocode.record import files
from samocode.record.exits import UserError

REFS = ("refs/heads", "refs/tags", "refs/notes", "refs/replace")
"""Git and other tools update other refs by themselves (fetch, stash)."""
FIELDS = "--format=%(refname)%00%(objectname)%00%(*objectname)%00%(worktreepath)"
BRANCH, TAG = "branch ", "tag "
BY_ITSELF = (
    "branch.", "core.repositoryformatversion", "extensions.", "gui.", "lfs.", "maintenance.",
    "submodule.",
)  # fmt: skip
"""Settings that git writes by itself, for new branches, worktrees, submodules and downloads."""
LOGIN = re.compile(r"//[^/@]*@")
"""Credentials in `url.https://TOKEN@example.org/.insteadof`. The names of settings are shown."""
SWITCH = re.compile(r"> (\d+) [-+]\d+\tcheckout: moving from (\S+) to (\S+)$", re.M)
"""A checkout in the reflog of HEAD: time, old branch, new branch."""


class Look(NamedTuple):
    """A snapshot of the shared state."""

    since: int
    """Epoch seconds, as in a reflog."""
    fetched: int
    """Latest mtime of any worktree's FETCH_HEAD, in nanoseconds."""
    held: frozenset[str]
    """Branches checked out in other worktrees, where people and other sessions work."""
    seen: dict[str, list[str]]
    """Name as shown (`user.email`, `tag v1`, `hooks/pre-commit`) to its value."""


@final
class Shared:
    """Compares the shared state with a snapshot from the start of the run. The snapshot is not
    recorded: between two runs, every change is the user's own."""

    def __init__(self, repository: Repository, tree: Path) -> None:
        self.repository = repository
        self.tree = tree
        self.start = self._look()

    def changed(self) -> list[str]:
        """Name what changed, except by other worktrees and fetches. Empty if git fails."""
        before, now = self.start, self._look()
        if before is None or now is None:
            return []
        names = [
            name
            for name in dict.fromkeys([*now.seen, *before.seen])
            if before.seen.get(name) != now.seen.get(name)
        ]
        usual = before.held | now.held | self._switched(before.since) | self._fetched(names)
        if before.fetched != now.fetched:
            usual |= self._tags_of_remotes({n: now.seen[n][-1] for n in names if n in now.seen})
        return [name for name in names if name not in usual]

    def warnings(self, setup: str) -> list[str]:
        """Return warnings about what does not work in the worktree: hooks, submodules, commits."""
        found: list[str] = []
        hooks = self.start.seen.get("core.hookspath", [""])[-1] if self.start else ""
        if not hooks.startswith(("/", "~")) and not (self.tree / hooks).is_dir():
            found.append(
                f"core.hooksPath is {hooks}, and the worktree has no such folder: commits there "
                "run none of your hooks. Create it in SETUP."
            )
        if (self.tree / ".gitmodules").is_file() and "submodule" not in setup:
            found.append(
                "the repository has submodules: SETUP must check them out (git submodule "
                "update --init)."
            )
        if (lock := gitdir.of(self.tree) / "index.lock").exists():
            found.append(
                "no commit can be made: a git that was killed left its lock. If none runs in the "
                f"worktree now, remove it: rm {shlex.quote(str(lock))}"
            )
        return found

    def _look(self) -> Look | None:
        common, since = self.repository.common, int(time.time())
        try:
            config = self.repository.call("config", "--local", "--list", "-z")
            refs = self.repository.call("for-each-ref", FIELDS, *REFS)
            fetches = [*common.glob("FETCH_HEAD"), *common.glob("worktrees/*/FETCH_HEAD")]
            fetched = max((path.stat().st_mtime_ns for path in fetches), default=0)
            hooks = _hooks(common / "hooks")
        except (OSError, UserError):
            return None
        if config is None or refs is None:
            return None
        seen: dict[str, list[str]] = {}
        for key, _, value in (entry.partition("\n") for entry in config.split("\0")):
            if key and not key.startswith(BY_ITSELF):
                seen.setdefault(LOGIN.sub("//", key), []).append(value)
        held: set[str] = set()
        for ref, target, peeled, at in (r.split("\0") for r in refs.split("\n") if "\0" in r):
            name = ref.replace("refs/heads/", BRANCH, 1).replace("refs/tags/", TAG, 1)
            if not ref.startswith("refs/heads/samocode/"):
                seen[name] = [target, peeled or target]
            if at and files.real(Path(at)) != files.real(self.tree):
                held.add(name)
        return Look(since, fetched, frozenset(held), seen | hooks)

    def _switched(self, since: int) -> set[str]:
        """Return the branches that another worktree switched to or from since then."""
        common, own = self.repository.common, files.real(gitdir.of(self.tree))
        places = [place for place in (common, *common.glob("worktrees/*")) if place != own]
        logs = [files.read_any(place / "logs/HEAD").decode(errors="replace") for place in places]
        found = [switch for log in logs for switch in SWITCH.findall(log)]
        return {BRANCH + name for when, *names in found if int(when) >= since for name in names}

    def _fetched(self, names: list[str]) -> set[str]:
        """Return the branches last moved by a fetch (`git fetch origin main:main`)."""
        heads = self.repository.common / "logs/refs/heads"
        logs = {n: files.read_any(heads / n.removeprefix(BRANCH)) for n in names if BRANCH in n}
        return {n for n, log in logs.items() if b"\tfetch " in b"".join(log.splitlines()[-1:])}

    def _tags_of_remotes(self, targets: dict[str, str]) -> set[str]:
        """Return the tags that a fetch may have created: a remote branch contains their commit."""
        tags = {name: target for name, target in targets.items() if name.startswith(TAG)}
        own = self.repository.call("rev-list", "--no-walk", *tags.values(), "--not", "--remotes")
        return {name for name, target in tags.items() if own is not None and target not in own}


def _hooks(folder: Path) -> dict[str, list[str]]:
    """Read every hook except git's samples: mode, resolved path, content."""
    return {
        f"hooks/{path.name}": [
            str(path.lstat().st_mode & 0o111),
            str(files.real(path)),
            files.read_any(files.real(path)).decode("latin-1"),
        ]
        for path in sorted(folder.glob("*"))
        if path.suffix != ".sample"
    }
