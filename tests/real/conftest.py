"""Fixtures: the real Claude CLI, with a new HOME for every test."""

import os
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from tests.real.cli import Cli, NoCli, find_cli
from tests.real.sessions import RealProject, real_project


@pytest.fixture(scope="session")
def claude() -> Path:
    """The binary. Without it the tests are skipped, or fail with CI=true."""
    try:
        return find_cli()
    except NoCli as missing:
        return give_up(str(missing), os.environ)


def give_up(why: str, environ: Mapping[str, str]) -> Path:
    """Skip the test with a message, or fail in CI."""
    if environ.get("CI") == "true":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


@pytest.fixture
def cli(claude: Path, tmp_path: Path) -> Cli:
    """The CLI with an empty home and an empty working directory."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(exist_ok=True)
    work.mkdir()
    return Cli(claude, home, work)


@pytest.fixture
def project(tmp_path: Path, claude: Path, request: pytest.FixtureRequest) -> Generator[RealProject]:
    """A project with a small repository."""
    with real_project(tmp_path / "project", claude, request.node.name) as made:
        yield made
