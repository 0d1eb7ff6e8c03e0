"""Checks the repository: a commit, an identity, a base branch, and what a worktree would lack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from samocode.check import lacking
from samocode.check.finding import Finding, Place, ok, problem, warning
from samocode.git.branches import Branches
from samocode.git.command import typed
from samocode.git.repository import Repository
from samocode.git.worktree import in_the_way
from samocode.prepare import visible_folders
from samocode.record.exits import UserError


def code(place: Place) -> Iterator[Finding]:
    """Yield what is found about git and the repository."""
    repository = Repository.find(place.code, place.settings.environ)
    if repository is None:
        yield warning(
            f"{place.code} is not in a git repository: sessions can only do research",
            f"For code: {typed(place.code)} init, and commit.",
        )
        return
    yield from _base(repository, place)
    yield _identity(repository)
    yield from _lacking(repository, place)


def _base(repository: Repository, place: Place) -> Iterator[Finding]:
    branches = Branches.read(repository)
    try:
        base, _ = branches.start(place.settings.project.base_branch)
    except UserError as error:
        yield from map(problem, error.problems)
    else:
        yield ok(f"sessions start from {base} of {repository.top}")
    if rename := in_the_way(branches):
        text = "a branch named samocode leaves no room for samocode/SESSION"
        yield problem(text, f"Run: {rename}")


def _identity(repository: Repository) -> Finding:
    try:
        repository.check_identity()
    except UserError as error:
        return problem(*error.problems)
    return ok("git knows who commits")


def _lacking(repository: Repository, place: Place) -> Iterator[Finding]:
    setup = place.settings.project.setup or ""
    if hooks := lacking.hooks(repository):
        yield warning(
            f"core.hooksPath is {hooks}, and a new worktree has no such folder: commits there run "
            "none of your hooks",
            f"Make it in SETUP, or remove the setting: {typed(repository.top)} config --unset "
            "core.hooksPath",
        )
    if lacking.submodules(repository) and "submodule" not in setup:
        yield warning(
            "the repository has submodules, and they are empty in a new worktree",
            "Add to .samocode: SETUP='git submodule update --init --recursive'",
        )
    if repository.call("config", "--type=bool", "commit.gpgsign") == "true\n":
        yield warning(
            "commits are signed (commit.gpgsign): without you, signing must not need a passphrase",
            "Unlock the key's agent for the whole run, or switch signing off: "
            f"{typed(repository.top)} config commit.gpgsign false",
        )
    if remedy := lacking.lfs(repository):
        yield problem("the repository keeps files in git LFS, and it does not work here", remedy)


def folders(place: Place) -> Iterator[Finding]:
    """Yield whether SESSIONS and WORKTREES can be made and are ignored by git. The settings refuse
    existing folders that cannot be written."""
    project = place.settings.project
    named = {"SESSIONS": project.sessions, "WORKTREES": project.worktrees}
    named = {name: path for name, path in named.items() if path.is_absolute()}
    good = True
    for name, path in named.items():
        if not path.exists() and not os.access(path.parent, os.W_OK | os.X_OK):
            good = False
            yield problem(f"{name} cannot be made: {path.parent} may not be written", _access(path))
    try:
        repository = Repository.find(place.code, place.settings.environ)
    except UserError:  # reported by `code`
        repository = None
    for text in visible_folders(repository, named) if repository else ():
        good = False
        what, _, remedy = text.partition("; ")
        yield warning(what, f"{remedy[:1].upper()}{remedy[1:]}")
    if good and len(named) == 2:
        yield ok("SESSIONS and WORKTREES can be written")


def _access(path: Path) -> str:
    return f"Make {path} yourself and give your user access, or name another folder in .samocode."
