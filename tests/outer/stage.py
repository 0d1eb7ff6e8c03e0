"""A project with its own HOME and PATH, a stub in place of Claude, and main.py as a process."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.outer import speech
from tests.outer.speech import PATIENCE, wait_for

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MAIN, STUB = ROOT / "main.py", HERE / "stub"
IDENTITY = "[user]\n\tname = Test\n\temail = t@example.invalid\n[init]\n\tdefaultBranch = main\n"
WORK = "work(); signal()"
DONE = "signal('done', summary='It works.')"
TO_PLANNING = "signal(phase='planning')"
TO_DONE = "signal(phase='done')"
TASK = "build it"
EXIT = ("--on-wait", "exit")


def git(*args: str, cwd: Path) -> str:
    """Git's output, stripped. An error fails the test with git's message."""
    done = subprocess.run(["git", *args], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr}"
    return done.stdout.strip()


def sh(
    script: str, cwd: Path, check: bool = True, environ: Mapping[str, str] | None = None
) -> None:
    """Run a shell script; with `check` an error fails the test."""
    done = subprocess.run(
        ["sh", "-ec" if check else "-c", script], cwd=cwd, env={**os.environ, **(environ or {})},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{script}: {done.stderr}"


def executable(file: Path, text: str = "#!/bin/sh\n") -> Path:
    """Create a program, and its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # a link is replaced, not followed
    file.write_text(text)
    file.chmod(0o755)
    return file


def photo(*folders: Path) -> dict[str, bytes | str]:
    """The content of every file below these folders, including .git (HEAD, index, refs, stash)."""
    found: dict[str, bytes | str] = {}
    for path in (path for folder in folders for path in folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"-> {path.readlink()}"
        else:
            found[str(path)] = path.read_bytes() if path.is_file() else "folder"
    return found


def make_repo(folder: Path) -> None:
    """A git repository: branch main, one commit with a.py and a test of it."""
    folder.mkdir(exist_ok=True)
    (folder / "a.py").write_text("def double(number: int) -> int:\n    return number * 2\n")
    (folder / "test_a.py").write_text(
        "import unittest\n\nfrom a import double\n\n\n"
        "class DoubleTest(unittest.TestCase):\n"
        "    def test_double(self) -> None:\n        self.assertEqual(double(2), 4)\n"
    )
    (folder / ".gitignore").write_text("__pycache__/\n")
    git("init", "-q", "-b", "main", cwd=folder)
    git("add", ".", cwd=folder)
    git("-c", "user.name=T", "-c", "user.email=t@t", "commit", "-qm", "Start", cwd=folder)


@dataclass(frozen=True)
class Ended:
    """A run of main.py that is over."""

    code: int
    out: str
    """All of its output, errors last."""
    err: str = ""
    """Only stderr, for runs by `execute`."""

    @property
    def command(self) -> list[str]:
        """The command to go on that it printed last."""
        found = re.findall(r"\S+ \S*main\.py .*--session .*", self.out)
        assert found, f"no command to go on:\n{self.out}"
        return shlex.split(found[-1])


@dataclass
class Loop:
    """A running main.py, which prints into a file."""

    process: subprocess.Popen[bytes]
    log: Path

    def send(self, number: int) -> Loop:
        """Send a signal to it."""
        self.process.send_signal(number)
        return self

    def wait(self) -> Ended:
        """Wait for its end."""
        code = self.process.wait(PATIENCE)
        return Ended(code, self.out)

    def kill(self) -> str:
        """Send SIGKILL to the loop only, and return its output."""
        self.send(signal.SIGKILL).process.wait(PATIENCE)
        return self.out

    @property
    def out(self) -> str:
        """What it printed so far."""
        return self.log.read_text(errors="replace")

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll()

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self.code is None


@dataclass
class Stage:
    """One project with one session, `work`; `extra` is more environment for main.py."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict[str, str])
    name: str = "work"
    main: Path = MAIN
    fast: bool = False
    """Whether every run has the timeouts for tests."""
    loops: list[Loop] = field(default_factory=list[Loop])

    def __post_init__(self) -> None:
        for path in (self.steps, self.repo, self.folder / "home"):
            path.mkdir(parents=True, exist_ok=True)
        (self.folder / "gitconfig").write_text(IDENTITY)
        if not self.config.exists():
            self.configure()

    def with_git(self) -> Stage:
        """Make the repository."""
        make_repo(self.repo)
        return self

    @property
    def repo(self) -> Path:
        """MAIN_REPO."""
        return self.folder / "repo"

    @property
    def steps(self) -> Path:
        """The folder of the stub's steps and of the files it leaves."""
        return self.folder / "steps"

    @property
    def config(self) -> Path:
        """The project's settings."""
        return self.folder / ".samocode"

    @property
    def session(self) -> Path:
        """The session folder. Assert that there is exactly one."""
        (found,) = (self.folder / "sessions").glob(f"[!.]*-{self.name}")
        return found

    @property
    def made(self) -> list[str]:
        """What the starts created: sessions, worktrees and branches."""
        folders = (self.folder / "sessions", self.folder / "worktrees")
        found = [str(p) for folder in folders for p in folder.glob("*") if p.name != ".locks"]
        if (self.repo / ".git").exists():
            found += git("worktree", "list", cwd=self.repo).splitlines()[1:]
            found += git("branch", "--list", "samocode/*", cwd=self.repo).splitlines()
        return found

    @property
    def worktree(self) -> Path:
        """The session's worktree."""
        return self.folder / "worktrees" / self.session.name

    @property
    def branch(self) -> str:
        """The session's branch."""
        return f"samocode/{self.session.name}"

    def configure(self, **keys: str) -> None:
        """Write `.samocode` with the required keys and these."""
        values = {
            "MAIN_REPO": self.repo.name,
            "WORKTREES": "worktrees",
            "SESSIONS": "sessions",
        } | keys
        self.config.write_text("".join(f"{key}='{value}'\n" for key, value in values.items()))

    def script(self, *steps: str, default: str = "signal('blocked', reason='no more')") -> None:
        """Set what the child does in iterations 1, 2, ... and in any later one."""
        for number, step in enumerate(steps, 1):
            (self.steps / f"{number}.py").write_text(step)
        (self.steps / "default.py").write_text(default)

    def then(self, step: str) -> None:
        """Set what the child does in every iteration from now on."""
        for path in self.steps.glob("[0-9]*.py"):
            path.unlink()
        self.script(default=step)

    @property
    def environ(self) -> dict[str, str]:
        """An environment from scratch."""
        home = str(self.folder / "home")
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": home,
            "LANG": "C.UTF-8",
            "CLAUDE_CONFIG_DIR": f"{home}/.claude",
            "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "IS_SANDBOX": "1",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
            "CLAUDE_PATH": str(STUB),
            "STUB_STEPS": str(self.steps),
            **self.extra,
        }

    def command(self, *args: str, fast: bool = False) -> list[str]:
        """The command line of a run of the session."""
        program = str(HERE / "speech.py" if fast or self.fast else self.main)
        session = ["--config", str(self.config), "--session", self.name]
        return [sys.executable, program, *session, *args]

    def nameless(self, *args: str) -> Ended:
        """Run main.py of the project without --session."""
        python, program, config, file, *_ = self.command()
        return self.execute([python, program, config, file, *args])

    def execute(self, command: Sequence[str]) -> Ended:
        """Run a command to its end, without a terminal."""
        done = subprocess.run(
            command, env=self.environ, cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=4 * PATIENCE, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout + done.stderr, done.stderr)

    def run(
        self, *args: str, fast: bool = False, task: str | None = None, before: Sequence[str] = ()
    ) -> Ended:
        """Run the session until main.py ends; `before` is a launcher."""
        given = ("--task", task) if task else ()
        return self.execute([*before, *self.command(*given, *args, fast=fast)])

    def begin(self, *args: str, fast: bool = False, before: Sequence[str] = ()) -> Ended:
        """Run the session with its task, until main.py ends."""
        return self.run(*args, fast=fast, task=TASK, before=before)

    def start(self, *args: str, fast: bool = False, before: Sequence[str] = ()) -> Loop:
        """Start the session with its task and leave it running."""
        return self.beside([*before, *self.command("--task", TASK, *args, fast=fast)])

    def beside(self, command: Sequence[str]) -> Loop:
        """Start a command and leave it running."""
        log = self.folder / f"loop-{len(self.loops)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, env=self.environ, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.loops.append(Loop(process, log))
        return self.loops[-1]

    def up(self, iteration: int) -> None:
        """Wait until the child of this iteration has called `up()`."""
        wait_for((self.steps / f"up-{iteration}").exists)

    def go(self) -> None:
        """End the `hold()` of every child."""
        (self.steps / "go").touch()

    def asked(self, count: int = 1) -> None:
        """Wait until so many questions are open."""
        wait_for(lambda: self.has_history() and len(speech.open_questions(self.session)) == count)

    def session_soon(self) -> Path:
        """Wait for the session folder and return it."""
        wait_for(self.has_history)
        return self.session

    def has_history(self) -> bool:
        """Whether the session exists."""
        return bool(list((self.folder / "sessions").glob("[!.]*/_history.jsonl")))

    def history(self, event: str | None = None) -> list[Mapping[str, Any]]:
        """The history's lines, of one event or all. Empty while there is no session."""
        return speech.history(self.session, event) if self.has_history() else []

    def answer(self, number: int, text: str) -> None:
        """Answer a question as a person with an editor does."""
        speech.answer(self.session_soon(), number, text)

    @property
    def answers(self) -> list[tuple[str, str]]:
        """(text, by) of every answer on record, in order."""
        return [(text, by) for _, text, by in speech.answers(self.session)]

    @property
    def outcomes(self) -> list[str]:
        """How each iteration ended."""
        return [line["outcome"] for line in self.history("iteration")]

    @property
    def children(self) -> int:
        """How many children were started."""
        return len(list(self.steps.glob("run-*.json")))

    def child(self, iteration: int) -> Any:
        """argv, environ, cwd, prompt and told (files read) of the child of an iteration."""
        (found,) = self.steps.glob(f"run-{iteration:03d}-*.json")
        return json.loads(found.read_text())

    def told(self, iteration: int) -> str:
        """All texts that the loop gave to the child of an iteration."""
        return "\n".join(self.child(iteration)["told"].values())

    def previous(self, iteration: int) -> Any:
        """`previous` in the `_iteration.json` of an iteration: outcome and note of the last one."""
        return json.loads(self.child(iteration)["told"]["_iteration.json"])["previous"]

    @property
    def hooked(self) -> list[Any]:
        """The results of each `hook()` of the stub: exit, said, wrote."""
        return [json.loads(line) for line in (self.steps / "hook.jsonl").read_text().splitlines()]

    @property
    def budgets(self) -> list[float]:
        """The budget of each child, in order."""
        runs = (json.loads(p.read_text())["argv"] for p in sorted(self.steps.glob("run-*.json")))
        return [budget for argv in runs if (budget := speech.budget_given(argv)) is not None]

    @property
    def spent(self) -> list[float]:
        """The cost that each child reported, in order."""
        path = self.steps / "costs"
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    @property
    def alive(self) -> list[int]:
        """Every living process of this session, including those that the stub left."""
        left = [int(p.read_text()) for p in self.steps.glob("pid-*") if p.read_text()]
        entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [int(e.name) for e in entries if lives(e, int(e.name) in left, self.folder)]

    def close(self) -> None:
        """End what a test left running."""
        for loop in self.loops:
            loop.process.kill()
            loop.process.wait()
        for pid in self.alive:
            os.kill(pid, signal.SIGKILL)


def lives(entry: Path, known: bool, folder: Path) -> bool:
    """Whether a process lives, and is known or has the tag of a session below `folder`."""
    try:
        marked = f"SAMOCODE_RUN={folder}/".encode() in (entry / "environ").read_bytes()
        dead = (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return False
    return (known or marked) and not dead
