"""Git's own files for one worktree."""

from __future__ import annotations

from pathlib import Path

from samocode.record import files

UNFINISHED = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "sequencer": "a cherry-pick or revert of several commits",
}


def of(worktree: Path) -> Path:
    """Return the folder with HEAD, index and reflog: `.git`, or the folder that it names."""
    named = files.read_any(worktree / ".git").decode(errors="surrogateescape")
    return worktree / (named.removeprefix("gitdir: ").rstrip("\n") or ".git")


def known(common: Path, worktree: Path) -> Path | None:
    """Return the folder that the repository has registered for a worktree, or None. `common` is the
    repository's git folder, `worktree` a resolved path."""
    for folder in common.glob("worktrees/*"):
        named = files.read_any(folder / "gitdir").decode(errors="surrogateescape").rstrip("\n")
        if named and files.real(folder / named) == worktree / ".git":
            return folder
    return None


def unfinished(worktree: Path) -> tuple[str, ...]:
    """Name the merge, rebase, revert or cherry-pick in progress. It may have changed no file."""
    own = of(worktree)
    found = [what for name, what in UNFINISHED.items() if (own / name).exists()]
    return tuple(f"{what} in progress" for what in found[:1])
