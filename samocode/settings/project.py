"""The project's .samocode: where its repository is, and where sessions and worktrees go."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from samocode.settings import table as keys
from samocode.settings.sources import Values, expanded, from_file, kind
from samocode.settings.table import PROJECT_KEYS, Key

EXAMPLE = """\
    MAIN_REPO=.
    WORKTREES=../{name}-worktrees
    SESSIONS=../{name}-sessions"""


@dataclass(frozen=True)
class Project:
    """What a .samocode says; the paths are absolute and real."""

    file: Path
    main_repo: Path
    worktrees: Path
    sessions: Path
    base_branch: str | None = None
    setup: str | None = None
    verify: str | None = None


def read(
    config: Path | None, cwd: Path, environ: Mapping[str, str], problems: list[str]
) -> Project | None:
    """The project of `config` (the file, or its folder), else of the nearest .samocode upwards."""
    path = _file(config, cwd, environ, problems)
    if path is None:
        return None
    remedy = f"the keys are {', '.join(key.name for key in PROJECT_KEYS)}"
    layer = from_file(path, PROJECT_KEYS, remedy, problems)
    if layer is None:
        return None
    values = Values(problems, (layer,))
    repo, worktrees, sessions = (
        _folder(values, key, path, environ) for key in (keys.REPO, keys.WORKTREES, keys.SESSIONS)
    )
    branch, setup, verify = (values.get(key) for key in (keys.BASE, keys.SETUP, keys.VERIFY))
    if not (repo and worktrees and sessions):
        return None
    if repo in (worktrees, sessions):
        problems.append(f"{path}: MAIN_REPO is also WORKTREES or SESSIONS: name another folder.")
    if worktrees in (sessions, *sessions.parents):
        problems.append(f"{path}: SESSIONS is inside WORKTREES: name a folder beside it.")
    return Project(path, repo, worktrees, sessions, branch, setup, verify)


def _file(
    config: Path | None, cwd: Path, environ: Mapping[str, str], problems: list[str]
) -> Path | None:
    if config is None:
        places = [folder / ".samocode" for folder in (cwd, *cwd.parents)]
        missing = f"There is no .samocode in {cwd} or above it"
    else:
        place = expanded(str(config), cwd, environ)
        places = [place / ".samocode" if stat.S_ISDIR(kind(place)) else place]
        missing = f"--config: {places[0]} is no file"
    found = next((place for place in places if stat.S_ISREG(kind(place))), None)
    if found is None:
        name = cwd.name if re.fullmatch(r"[\w.-]+", cwd.name) else "project"
        example = EXAMPLE.format(name=name)
        problems.append(f"{missing}: put one in the project's root, for example\n{example}")
    return found


def _folder(values: Values, key: Key[str], file: Path, environ: Mapping[str, str]) -> Path | None:
    """The folder that `key` names; None where it cannot be used, and a problem."""
    given = values.given(key)
    if given is None:
        values.problems.append(f"{file}: {key.name} is missing: add {key.name}=PATH.")
        return None
    try:
        path = expanded(key.read(given.text), file.parent, environ).resolve()
        _usable(path, must_exist=key is keys.REPO)
        if key is keys.SESSIONS:
            _nameable(path)
    except ValueError as error:
        values.problems.append(f"{given.where}: {key.name}: {error}.")
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        values.problems.append(f"{given.where}: {key.name}: {error}: name another folder.")
    else:
        return path
    return None


def _nameable(path: Path) -> None:
    """The child's walls name files of a session: a rule with one of these matches nothing."""
    if found := re.search(r"[][{}\\]", str(path)):
        raise ValueError(
            f"{path} holds {found[0]}, which no deny rule of claude can name: name another folder"
        )


def _usable(path: Path, must_exist: bool) -> None:
    if stat.S_ISDIR(kind(path)):
        if not must_exist and not os.access(path, os.W_OK | os.X_OK):
            raise ValueError(f"{path} may not be written: change its mode, or name another")
    elif must_exist or kind(path) or path.is_symlink():
        raise ValueError(f"{path} is no directory: name one that exists")
    elif not stat.S_ISDIR(kind(path.parent)):
        raise ValueError(f"{path.parent} does not exist: make it, or name another")
