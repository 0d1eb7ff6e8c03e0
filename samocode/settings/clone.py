"""The location of this clone, its environment, and the check of the Python version."""

import io
import os
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
WORKFLOW = CLONE / "workflow.md"
COMMANDS = CLONE / "commands"
ENV_FILE = CLONE / ".env"
RUN_TAG = "SAMOCODE_RUN"  # environment variable of a session's processes; its value is the folder


def need_python() -> None:
    """Restart with the clone's .venv, or exit with code 2, if this Python is unsuitable. Python 3.6
    must be able to parse this file and main.py. A test checks their syntax."""
    lacks = [name for name in ("dotenv", "requests") if PathFinder.find_spec(name) is None]
    fits = sys.version_info >= (3, 11)
    if fits and not lacks:
        return
    own = CLONE / ".venv" / "bin" / "python"
    if own.exists() and sys.prefix != str(CLONE / ".venv"):
        os.execv(own, [str(own), *sys.argv])  # noqa: S606 - restarts this program
    packages = f"packages that this python lacks ({', '.join(lacks)})"
    what = packages if fits else "Python 3.11 or newer"
    import shlex

    install = shlex.quote(str(CLONE / "install.sh"))
    print(f"samocode: it needs {what}. Run: {install}", file=sys.stderr)
    sys.exit(2)


def open_streams() -> None:
    """Replace a closed stdin, stdout or stderr (daemons, `>&-`) by the null device."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - never closed
    sys.stderr = sys.stderr or sys.stdout
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not support every character
            stream.reconfigure(errors="replace")


def cache(environ: "Mapping[str, str]") -> "Path":
    """Return the folder for what the sessions of this machine share. It is safe to delete."""
    own = Path(environ.get("XDG_CACHE_HOME", ""))
    if not own.is_absolute():
        own = Path(environ.get("HOME") or "~", ".cache").expanduser()
    return own / "samocode"


def at_terminal() -> "bool":
    """Whether stdin is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def environment() -> "dict[str, str]":
    """Return a copy of the process environment. No other code reads it."""
    return dict(os.environ)
