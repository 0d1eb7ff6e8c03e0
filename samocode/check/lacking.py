"""What a new worktree of a repository would lack: hooks, submodules, files in LFS."""

from __future__ import annotations

from shutil import which

from samocode.git.repository import Repository

ATTRIBUTES = ":(glob)**/.gitattributes"


def hooks(repository: Repository) -> str | None:
    """Return core.hooksPath if a new worktree has no such folder. Git looks for a relative
    path in the worktree, which has only tracked files."""
    path = (repository.call("config", "--local", "--get", "core.hooksPath") or "").strip()
    if not path or path.startswith(("/", "~")):
        return None
    return None if repository.call("ls-files", "--", path) else path


def submodules(repository: Repository) -> bool:
    """Whether the repository has submodules."""
    return bool(repository.call("ls-files", "--", ".gitmodules"))


def lfs(repository: Repository) -> str | None:
    """Return the remedy if the repository uses LFS and git-lfs is missing or not set up."""
    if not repository.call("grep", "-lE", "filter *= *lfs", "HEAD", "--", ATTRIBUTES):
        return None
    if which("git-lfs", path=repository.environ.get("PATH", "")) is None:
        return "Install git-lfs with your package manager, then run: git lfs install"
    filters = repository.call("config", "--get-regexp", r"^filter\.lfs\.")
    return None if filters else "Run: git lfs install"
