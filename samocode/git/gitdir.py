"""The files that git keeps for one worktree."""

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
    """Where git keeps HEAD, index and reflog of a worktree: its `.git`, or the folder named in
    it."""
    named = files.read_any(worktree / ".git").decode(errors="surrogateescape")
    return worktree / (named.removeprefix("gitdir: ").rstrip("\n") or ".git")


def known(common: Path, worktree: Path) -> Path | None:
    """The same as the repository says it, whose folder for all worktrees is `common`: None when it
    has none at this (resolved) path, whatever lies there."""
    for folder in common.glob("worktrees/*"):
        named = files.read_any(folder / "gitdir").decode(errors="surrogateescape").rstrip("\n")
        if named and (folder / named).resolve() == worktree / ".git":
            return folder
    return None


def unfinished(worktree: Path) -> tuple[str, ...]:
    """What git is in the middle of in a worktree. Its result is in no commit yet, even where no
    file differs."""
    own = of(worktree)
    found = [what for name, what in UNFINISHED.items() if (own / name).exists()]
    return tuple(f"{what} in progress" for what in found[:1])
