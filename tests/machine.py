"""A machine for install.sh: a copy of the clone, an empty HOME, few tools, paths with spaces."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.outer.stage import ROOT as ROOT
from tests.outer.stage import executable

WHEELS = ROOT / ".cache/wheels"  # from tests/run; the tests have no access to a package index
TOOLS = (
    "basename", "bash", "cat", "cksum", "dirname", "env", "git", "grep", "ln", "mkdir",
    "readlink", "rm", "rmdir", "sed", "sh",
)  # fmt: skip

needs_wheels = pytest.mark.skipif(
    not WHEELS.is_dir() and "CI" not in os.environ, reason="no wheels yet: run tests/run once"
)


@dataclass(frozen=True)
class Machine:
    """A copy of the clone, a HOME, and a PATH with the basic tools and what the test adds."""

    clone: Path
    home: Path
    bin: Path
    environ: tuple[tuple[str, str], ...] = ()

    def knowing(self, **variables: str) -> "Machine":
        """The same machine with more variables set."""
        return replace(self, environ=(*self.environ, *variables.items()))

    def install(
        self, *args: str, script: Path | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script or self.clone / "install.sh", *args],
            cwd=cwd or self.home,
            env={
                "PATH": str(self.bin),
                "HOME": str(self.home),
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": WHEELS.as_uri(),  # pip splits a plain path at its spaces
                **dict(self.environ),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @property
    def commands(self) -> Path:
        return self.home / ".claude/commands"

    def sources(self) -> dict[str, Path]:
        return {file.name: file for file in (self.clone / "commands").glob("*.md")}

    def executable(self, name: str, text: str) -> Path:
        return executable(self.bin / name, f"#!/bin/sh\n{text}\n")


def copy_of(clone: Path, to: Path) -> Path:
    """A copy of the clone with its .venv. Packages are hard links, to be quick."""
    shutil.copytree(clone, to, symlinks=True, ignore=shutil.ignore_patterns("lib"))
    shutil.copytree(clone / ".venv/lib", to / ".venv/lib", symlinks=True, copy_function=os.link)
    return to


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def machine_in(folder: Path, clone: Path) -> Machine:
    home, tools = folder / "empty home", folder / "bin"
    home.mkdir(parents=True)
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name) or name)
    machine = Machine(clone, home, tools)
    machine.executable("python3", f'exec "{sys.executable}" "$@"')
    return machine


def fresh_clone(to: Path) -> Path:
    """The files of a clone that install.sh needs. Its main.py only prints its arguments."""
    to.mkdir(parents=True)
    for name in ("install.sh", "requirements.txt"):
        shutil.copy(ROOT / name, to)
    for name in ("commands", ".claude-plugin"):
        shutil.copytree(ROOT / name, to / name)
    words = "import sys, dotenv, requests\nprint('main.py', *sys.argv[1:])\n"
    (to / "main.py").write_text("#!/usr/bin/env python3\n" + words)
    (to / "main.py").chmod(0o755)
    return to


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine after one good run, to be copied: making a .venv takes seconds."""
    folder = tmp_path_factory.mktemp("installed")
    machine = machine_in(folder, fresh_clone(folder / "my clone"))
    done = machine.install()
    assert done.returncode == 0, done.stdout + done.stderr
    yield machine
    shutil.rmtree(folder)


@pytest.fixture
def machine(tmp_path: Path, installed: Machine) -> Machine:
    """A clone with a good .venv on a machine with an empty HOME: no command is linked yet."""
    clone = copy_of(installed.clone, tmp_path / "my clone")
    shutil.rmtree(clone / ".cache")
    return machine_in(tmp_path / "machine", clone)


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    """A fresh clone, nothing set up."""
    return machine_in(tmp_path / "machine", fresh_clone(tmp_path / "my clone"))
