"""A project's folder with all that `config.load` looks at, made of real files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from samocode.record.exits import UserError
from samocode.settings.flags import Options
from samocode.settings.load import Settings, load

RUN = Options(session="a")
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
        self, options: Options = RUN, env: Mapping[str, str] | None = None, uid: int = 1000
    ) -> Settings:
        """The settings with `env` added to the environment."""
        environ = {**self.environ, **(env or {})}
        return load(options, environ, self.env_file, self.folder / "repo", uid=lambda: uid)

    def problems(
        self, options: Options = RUN, env: Mapping[str, str] | None = None, uid: int = 1000
    ) -> tuple[str, ...]:
        """What `load` refuses."""
        with pytest.raises(UserError) as refused:
            self.load(options, env, uid)
        assert refused.value.exit_code == 2
        return refused.value.problems


def executable(file: Path) -> Path:
    """A program that does nothing, in a folder made for it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def made(folder: Path) -> Place:
    """A place in which `load` finds nothing wrong."""
    (folder / "repo").mkdir()
    (folder / "my home").mkdir()
    executable(folder / "bin/claude")
    place = Place(folder)
    place.dots.write_text(DOTS)
    return place
