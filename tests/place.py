"""A project's folder with all files that Settings reads."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import pytest

from samocode.record.exits import UserError
from samocode.session import Session
from samocode.settings.load import Settings
from samocode.settings.project import Project, read
from tests.outer.stage import executable

RUN = {"--session": "a"}
DOTS = "MAIN_REPO=repo\nWORKTREES=worktrees\nSESSIONS=sessions\n"


@dataclass(frozen=True)
class Place:
    """A project's folder with a repository, a claude on PATH, and no settings but a .samocode."""

    folder: Path

    @property
    def dots(self) -> Path:
        return self.folder / ".samocode"

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": str(self.folder / "bin"), "HOME": str(self.folder / "my home")}

    def load(
        self, flags: Mapping[str, str] = RUN, env: Mapping[str, str] | None = None, uid: int = 1000
    ) -> Settings:
        environ = {**self.environ, **(env or {})}
        return Settings(flags, environ, self.env_file, self.folder / "repo", uid=lambda: uid)

    def problems(
        self, flags: Mapping[str, str] = RUN, env: Mapping[str, str] | None = None, uid: int = 1000
    ) -> tuple[str, ...]:
        with pytest.raises(UserError) as refused:
            self.load(flags, env, uid)
        assert refused.value.exit_code == 2
        return refused.value.problems


def made(folder: Path) -> Place:
    (folder / "repo").mkdir()
    (folder / "my home").mkdir()
    executable(folder / "bin/claude")
    place = Place(folder)
    place.dots.write_text(DOTS)
    return place


def iterated(
    session: Session, outcome: str = "continue", next_: str | None = None, **more: object
) -> None:
    n, phase = session.state.iteration + 1, session.state.phase
    session.history.append(
        "iteration", n=n, phase=phase, outcome=outcome, next=next_ or phase, heard=True, **more
    )


def changed(project: Project, **values: object) -> Project:
    other = copy(project)
    vars(other).update(values)
    return other


def project_of(repo: Path) -> Project:
    """The project of a repository, with its .samocode, sessions and worktrees beside it."""
    (repo.parent / ".samocode").write_text(DOTS.replace("=repo", f"='{repo}'"))
    problems: list[str] = []
    project = read(None, repo.parent, {}, problems)
    assert project is not None, problems
    return project
