"""The status of a worktree: HEAD, branch, changed and untracked files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from samocode.git import gitdir
from samocode.git.command import in_worktree, typed
from samocode.record.exits import ExitCode, UserError
from samocode.record.state import WorktreeStatus

STATUS = (
    "status",
    "--porcelain=v2",
    "-z",
    "--branch",
    "--no-ahead-behind",
    "--no-renames",
    "--untracked-files=all",
    "--ignore-submodules=none",
)


def look(
    top: Path, environ: Mapping[str, str], main: Path | None = None, refresh: bool = False
) -> WorktreeStatus:
    """Return the status of the worktree at `top`. UserError, naming the repository `main`, if git
    fails. With `refresh`, git may update the index. Without that, the index of a new worktree makes
    every status read all files."""
    said = in_worktree(top, environ, *STATUS, locks=refresh)
    if said.returncode != 0:
        raise _unreadable(top, main or top, said.stderr)
    facts: dict[str, str] = {}
    dirty: dict[str, str] = {}
    untracked: list[str] = []
    for entry in said.stdout.split("\0"):
        if entry.startswith("# "):
            _, key, value = entry.split(" ", 2)
            facts[key] = value
        elif entry.startswith("? "):
            untracked.append(entry[2:])
        elif entry:
            last = 10 if entry.startswith("u ") else 8  # an unmerged entry has two more fields
            fields = entry.split(" ", last)
            name, submodule, mode = fields[-1], fields[2], fields[5 if last == 8 else 6]
            if (fields[1], submodule) == (".M", "S..U"):  # nothing but new files in a submodule
                untracked.append(f"{name}/")
                continue
            submodule = submodule.replace("U", ".")
            dirty[name] = f"{mode} {submodule} {_digest(top / name)}"
    dirty |= dict.fromkeys(gitdir.unfinished(top), "")
    return WorktreeStatus(facts["branch.oid"], dirty, facts["branch.head"], tuple(untracked))


def changes(
    top: Path, environ: Mapping[str, str], before: WorktreeStatus, now: WorktreeStatus
) -> tuple[str, ...]:
    """Return the names that differ, including files changed by commits between the two."""
    names = now.changes_since(before)
    if before.head == now.head:
        return names
    said = in_worktree(top, environ, "diff", "--name-only", "-z", before.head, now.head)
    return tuple(dict.fromkeys((*names, *filter(None, said.stdout.split("\0")))))


def gitlinks(top: Path, environ: Mapping[str, str], base: str) -> dict[str, str]:
    """Return path and commit of each submodule that HEAD has in another state than `base`."""
    said = in_worktree(top, environ, "diff-tree", "-r", "-z", base, "HEAD").stdout.split("\0")
    rows = [(meta.split(" "), name) for meta, name in zip(said[::2], said[1::2], strict=False)]
    return {name: fields[3] for fields, name in rows if fields[1] == "160000"}


def nested(top: Path, environ: Mapping[str, str], base: str) -> tuple[str, ...]:
    """Return the gitlinks that .gitmodules lacks: repositories of which the branch has no file."""
    found = gitlinks(top, environ, base)
    listing = ("config", "-z", "--blob", "HEAD:.gitmodules", "--get-regexp", r"\.path$")
    said = in_worktree(top, environ, *listing).stdout if found else ""
    known = {entry.partition("\n")[2] for entry in said.split("\0")}
    return tuple(n for n in found if n not in known and (top / n / ".git").exists())


def _unreadable(top: Path, main: Path, said: str) -> UserError:
    look_at, repair = f"{typed(top)} status", f"{typed(main)} worktree repair"
    return UserError(
        f"git cannot read the worktree {top} ({' '.join(said.split())}). Look at it: {look_at} "
        f"(when its .git is gone: {repair})",
        exit_code=ExitCode.BLOCKED,
    )


def _digest(path: Path) -> str:
    """Return a short hash of a file, a link's target, or `gone` or `folder`."""
    if path.is_symlink():
        return "link:" + str(path.readlink())
    if not path.is_file():
        return "gone" if not path.exists() else "folder"
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
