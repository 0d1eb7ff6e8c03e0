"""The demo: a small project in the clone's .demo/ folder, and a stand-in for Claude."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from samocode.record.exits import UserError

if TYPE_CHECKING:
    from samocode.settings.load import Settings
    from samocode.settings.timeouts import Timeouts

HERE = Path(__file__).resolve().parent
SESSION = "demo"
DIVE = "how slugify makes a link, and how its tests run"
TASK = (
    "Give slugify a limit, so that no link is longer than 40 characters. "
    "A test for it is there already and fails."
)

SETTINGS = """\
# Written by ./install.sh --demo. Your own project needs the next three lines.
MAIN_REPO=repo
WORKTREES=worktrees
SESSIONS=sessions
# SETUP is left out: nothing has to be installed in a new worktree. VERIFY must pass at the end.
VERIFY=../../bin/python -m unittest
"""

FAREWELL = """
Everything is in {folder}
  {session}  the notebook, your answers, the plan, the reports, the logs
  repo  the project; the work is on the branch {branch}
Look at the work, and take it over:
  cd {repo} && git diff main...{branch}
  git merge {branch} && ../bin/python -m unittest
Remove the demo: rm -rf {folder}
In your own project: run {install}, then follow its last lines."""


@dataclass(frozen=True)
class DemoProject:
    """A prepared demo. All of its files are in `folder`."""

    folder: Path
    config: Path
    """The project's .samocode."""
    claude: Path
    """The stand-in, an executable with the CLI's interface. It needs no network."""
    environ: Mapping[str, str]
    """The environment of the stand-in, without the user's variables."""


def play(run: Callable[["Settings", "Timeouts"], int], timeouts: "Timeouts") -> int:
    """Play the demo and return its exit code. Without a terminal it answers by --yes."""
    # Imported here, because each start of the stand-in imports this package.
    from samocode.settings.clone import CLONE, at_terminal, environment
    from samocode.settings.load import Settings

    project = prepare(CLONE, datetime.now().astimezone())
    # Without TERM the view would show neither colours nor the line that moves.
    screen = {name: text for name, text in environment().items() if name in ("TERM", "NO_COLOR")}
    # The mode is auto, because the settings refuse bypassPermissions for root, as claude does.
    environ = {
        **project.environ,
        **screen,
        "CLAUDE_PATH": str(project.claude),
        "CLAUDE_MODEL": "scripted",
        "CLAUDE_PERMISSION_MODE": "auto",
    }
    flags = {
        "--config": str(project.config),
        "--session": SESSION,
        "--task": TASK,
        "--dive": DIVE,
        **({} if at_terminal() else {"--yes": "yes"}),
    }
    nobody = "nobody: a scripted stand-in plays"
    settings = Settings(flags, environ, None, project.folder, paid_by=nobody)
    code = run(settings, timeouts)
    print(farewell(project) if code == 0 else f"The demo's folder is {project.folder}")
    return code


def prepare(clone: Path, now: datetime) -> DemoProject:
    """Create `<clone>/.demo/MMDD-HHMMSS/` with a git project. UserError without git."""
    git = shutil.which("git")
    if git is None:
        raise UserError("The demo needs git. Install it with your package manager and run again.")
    folder = _new_folder(clone / ".demo", f"{now:%m%d-%H%M%S}")
    for name in ("home", "bin", "sessions", "worktrees"):
        (folder / name).mkdir()
    claude = _wrapper(folder / "bin/claude", sys.executable, str(HERE / "claude"))
    _wrapper(folder / "bin/python", sys.executable)
    path = [str(folder / "bin"), str(Path(git).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    environ = {"PATH": os.pathsep.join(path), "HOME": str(folder / "home"), "LANG": "C.UTF-8"}
    _repository(folder / "repo", environ)
    config = folder / ".samocode"
    config.write_text(SETTINGS)
    return DemoProject(folder, config, claude, environ)


def farewell(project: DemoProject) -> str:
    """Return where to look after the demo, and what to run next."""
    sessions = sorted((project.folder / "sessions").glob(f"*-{SESSION}"))
    name = sessions[-1].name if sessions else SESSION
    return FAREWELL.format(
        folder=shlex.quote(str(project.folder)),
        session=f"sessions/{name}",
        repo=shlex.quote(str(project.folder / "repo")),
        branch=f"samocode/{name}",
        install=shlex.quote(str(HERE.parents[1] / "install.sh")),
    )


def _new_folder(parent: Path, name: str) -> Path:
    """Create a new folder, even if two demos start in the same second."""
    parent.mkdir(exist_ok=True)
    for number in range(1, 100):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise UserError(f"{parent} is full of demos: remove it and run again.")


def _wrapper(file: Path, *command: str) -> Path:
    """Create a wrapper script. A shebang line cannot contain a path with a space."""
    file.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    file.chmod(0o755)
    return file


def _repository(folder: Path, environ: Mapping[str, str]) -> None:
    """Create the project's repository, independent of the user's git settings."""
    shutil.copytree(HERE / "project", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".gitignore").write_text("__pycache__/\n")
    for command in (
        ("init", "--quiet", "--template="),
        ("symbolic-ref", "HEAD", "refs/heads/main"),  # git before 2.28 has no init -b
        ("config", "user.name", "Samocode demo"),
        ("config", "user.email", "demo@samocode.invalid"),
        ("config", "commit.gpgSign", "false"),
        ("add", "."),
        ("commit", "--quiet", "--message", "A small library with one failing test"),
    ):
        subprocess.run(["git", *command], cwd=folder, env=environ, check=True)
