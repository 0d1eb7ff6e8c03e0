"""The project's .samocode file: the repository, and the folders for sessions and worktrees."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from samocode.record import files
from samocode.settings.sources import Layer, expanded, from_file, kind
from samocode.settings.table import ProjectTable

EXAMPLE = """\
    MAIN_REPO=.
    WORKTREES=../{name}-worktrees
    SESSIONS=../{name}-sessions"""


class Project(ProjectTable):
    """The settings in a .samocode file. Paths are absolute and resolved."""

    def __init__(
        self, file: Path, layer: Layer, environ: Mapping[str, str], problems: list[str]
    ) -> None:
        super().__init__((layer,), problems)
        self.file = file
        wrong: list[str] = []
        for key in ("MAIN_REPO", "WORKTREES", "SESSIONS"):
            if key not in layer.texts:
                wrong.append(f"{file}: {key} is missing: add {key}=PATH.")
                continue
            path = expanded(vars(self)[key.lower()], file.parent, environ)
            try:
                vars(self)[key.lower()] = _usable(path, must_exist=key == "MAIN_REPO")
            except ValueError as error:
                vars(self)[key.lower()] = Path()
                wrong.append(f"{file}: {key}: {error}.")
        if not wrong and self.main_repo in (self.worktrees, self.sessions):
            wrong.append(f"{file}: MAIN_REPO is also WORKTREES or SESSIONS: name another folder.")
        if not wrong and self.worktrees in (self.sessions, *self.sessions.parents):
            wrong.append(f"{file}: SESSIONS is inside WORKTREES: name a folder beside it.")
        problems += wrong


def read(
    config: Path | None, cwd: Path, environ: Mapping[str, str], problems: list[str]
) -> Project | None:
    """Read `config` (a file, or its folder), else the nearest .samocode upwards from `cwd`."""
    if config is None:
        places = [folder / ".samocode" for folder in (cwd, *cwd.parents)]
        missing = f"There is no .samocode in {cwd} or above it"
    else:
        place = expanded(config, cwd, environ)
        places = [place / ".samocode" if stat.S_ISDIR(kind(place)) else place]
        missing = f"--config: {places[0]} is not a file"
    file = next((place for place in places if stat.S_ISREG(kind(place))), None)
    if file is None:
        name = cwd.name if re.fullmatch(r"[\w.-]+", cwd.name) else "project"
        example = EXAMPLE.format(name=name)
        problems.append(f"{missing}: put one in the project's root, for example\n{example}")
        return None
    layer = from_file(file, ProjectTable, problems)
    return Project(file, layer, environ, problems) if layer else None


def nowhere(cwd: Path) -> Project:
    """Return a project without a file: all paths are empty."""
    return Project(cwd / ".samocode", Layer("", {}), {}, [])


def _usable(path: Path, must_exist: bool) -> Path:
    """Return the resolved path. ValueError if it is not usable as a folder."""
    path = files.real(path)
    if found := re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", str(path)):
        raise ValueError(f"{str(path)!a} contains {found[0]!a}: use a folder with a plain name")
    if "/$" in str(path):
        raise ValueError(f"{path}: variables are not replaced: write ~, or the path itself")
    if not must_exist and ".git" in path.parts:
        raise ValueError(f"{path} is inside .git, which belongs to git: name another folder")
    if not must_exist and (found := re.search(r"[][{}\\]", str(path))):
        raise ValueError(
            f"{path} contains {found[0]}, which breaks claude's deny rules: name another folder"
        )
    if stat.S_ISDIR(kind(path)):
        if not must_exist and not os.access(path, os.W_OK | os.X_OK):
            raise ValueError(f"{path} is not writable: change its mode, or name another")
    elif must_exist or os.path.lexists(path):
        raise ValueError(f"{path} is not a directory: name one that exists")
    elif not stat.S_ISDIR(kind(path.parent)):
        raise ValueError(f"{path.parent} does not exist: create it, or name another")
    return path
