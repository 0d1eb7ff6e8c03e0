"""The real Claude CLI for the tests: install it, and run it isolated from the user's own Claude.

`python tests/real/cli.py` installs it and prints its path. It needs a network, so run it before the
tests, which have none. If it cannot be installed, that is an error only with CI=true.
"""

import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

VERSION = "2.1.332"
PACKAGE = "@anthropic-ai/claude-code"
CACHE = Path(__file__).parents[2] / ".cache"
FROM_OUTSIDE = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
INSTALL_SECONDS = 300
RUN_SECONDS = 60

Event = dict[str, Any]


class NoCli(Exception):
    """There is no CLI and it cannot be installed; the text says why."""


def find_cli(environ: Mapping[str, str] = os.environ, cache: Path = CACHE) -> Path:
    """The binary that SAMOCODE_TEST_CLAUDE names, else the pinned one, installed if it is missing.

    Several test processes may call this at once. NoCli if it cannot be installed.
    """
    if named := environ.get("SAMOCODE_TEST_CLAUDE"):
        return _executable(Path(named))
    folder = cache / f"claude-cli-{VERSION}"
    binary = folder / "node_modules" / f"{PACKAGE}-{_platform()}" / "claude"
    with _locked(cache / f"claude-cli-{VERSION}.lock"):
        if not binary.exists():
            _install(folder, environ)
    return _executable(binary)


def _executable(binary: Path) -> Path:
    if not os.access(binary, os.X_OK):
        raise NoCli(f"{binary} is not an executable file")
    return binary


def _platform() -> str:
    """The end of the package name: linux-x64, linux-arm64-musl, darwin-arm64 ..."""
    arm = platform.machine() in {"arm64", "aarch64"}
    musl = sys.platform == "linux" and platform.libc_ver()[0] != "glibc"
    return f"{sys.platform}-{'arm64' if arm else 'x64'}{'-musl' if musl else ''}"


@contextmanager
def _locked(path: Path) -> Generator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(folder: Path, environ: Mapping[str, str]) -> None:
    """Install into a temporary folder and rename it, so that no process sees half of it."""
    if environ.get("TESTS_ISOLATED") == "1":  # npm would retry for minutes
        raise NoCli("it is not installed and there is no network here: run tests/real/cli.py first")
    npm = shutil.which("npm", path=environ.get("PATH"))
    if npm is None:
        raise NoCli("npm (part of Node.js) is not installed")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch, "cli")
        made.mkdir()
        _npm_install(npm, made, _npm_env(Path(scratch), environ))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _npm_env(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for npm with its own HOME and cache, and the user's proxies, certificates and
    npm variables."""
    npms = {k: v for k, v in environ.items() if k.lower().startswith("npm_config_")}
    outside = {k: v for k, v in environ.items() if k.upper() in FROM_OUTSIDE}
    own = {"PATH": environ.get("PATH", os.defpath), "HOME": str(home)}
    return npms | outside | own | {"npm_config_cache": str(home / "npm")}


def _npm_install(npm: str, folder: Path, env: dict[str, str]) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    command = [npm, "install", "--prefix", str(folder), *options, f"{PACKAGE}@{VERSION}"]
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired as slow:
        raise NoCli(f"npm install took longer than {INSTALL_SECONDS} s") from slow
    if done.returncode != 0:
        raise NoCli(f"npm install ended with {done.returncode}: {done.stderr.strip()[-500:]}")


def clean_env(home: Path, api_url: str) -> dict[str, str]:
    """A new environment, in which claude has no user settings and no access to the network."""
    assert urlsplit(api_url).hostname == "127.0.0.1", f"{api_url} is not loopback"
    scratch = home / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "TMPDIR": str(scratch),
        "ANTHROPIC_BASE_URL": api_url,
        "ANTHROPIC_API_KEY": "dummy",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        **({"IS_SANDBOX": "1"} if os.geteuid() == 0 else {}),
    }


def as_nobody(env: Mapping[str, str]) -> dict[str, str]:
    """The same environment without a login."""
    return {name: value for name, value in env.items() if name != "ANTHROPIC_API_KEY"}


def as_subscriber(env: Mapping[str, str]) -> dict[str, str]:
    """The same environment with a subscription's token in place of the API key."""
    return as_nobody(env) | {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-dummy"}


def only(event: Event, *keys: str) -> Event:
    """These keys of an event, without absent ones."""
    return {key: event[key] for key in keys if key in event}


@dataclass(frozen=True)
class Ran:
    """How a run of the CLI ended."""

    exit: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[Event]:
        """Every event, in order."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def all(self, kind: str, subtype: str | None = None) -> list[Event]:
        """The events of a type, and of a subtype where one is given."""
        mine = [event for event in self.events if event["type"] == kind]
        return [event for event in mine if subtype is None or event.get("subtype") == subtype]

    def one(self, kind: str, subtype: str | None = None) -> Event:
        """The only event of its kind."""
        (event,) = self.all(kind, subtype)
        return event


@dataclass(frozen=True)
class Cli:
    """The CLI with a home and a working directory of its own."""

    binary: Path
    home: Path
    work: Path

    def command(self, *flags: str, mode: str = "bypassPermissions") -> list[str]:
        """The command line of a non-interactive run. The prompt comes on stdin."""
        fixed = ["-p", "--output-format", "stream-json", "--verbose", "--permission-mode", mode]
        return [str(self.binary), *fixed, *flags]

    def run(
        self,
        env: Mapping[str, str],
        *flags: str,
        prompt: str = "Go.",
        mode: str = "bypassPermissions",
    ) -> Ran:
        """Run it to its end, for at most RUN_SECONDS."""
        done = subprocess.run(
            self.command(*flags, mode=mode),
            input=prompt,
            env=env,
            cwd=self.work,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
        return Ran(done.returncode, done.stdout, done.stderr)


if __name__ == "__main__":
    try:
        print(find_cli())
    except NoCli as missing:
        print(f"Tests with the real Claude CLI will be skipped: {missing}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 0)
