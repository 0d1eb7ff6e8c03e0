"""Where this copy of Samocode lies, and the environment it was started in."""

import io
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
WORKFLOW = CLONE / "workflow.md"
COMMANDS = CLONE / "commands"
ENV_FILE = CLONE / ".env"
RUN_TAG = "SAMOCODE_RUN"  # in the environment of a session's processes; its value is the folder


def need_python() -> None:
    """Go on with the clone's .venv when this python is too old or lacks a package; or exit, saying
    what to run. Python 3.6 reads this file and main.py: a test holds their syntax to it."""
    lacks = [name for name in ("dotenv", "requests") if PathFinder.find_spec(name) is None]
    fits = sys.version_info >= (3, 11)
    if fits and not lacks:
        return
    own = CLONE / ".venv" / "bin" / "python"
    if own.exists() and sys.prefix != str(CLONE / ".venv"):
        os.execv(own, [str(own), *sys.argv])  # noqa: S606 - this program again, with the python it needs
    packages = f"packages that this python lacks ({', '.join(lacks)})"
    what = packages if fits else "Python 3.11 or newer"
    import shlex

    install = shlex.quote(str(CLONE / "install.sh"))
    print(f"samocode: it needs {what}. Run: {install}", file=sys.stderr)
    sys.exit(2)


def open_streams() -> None:
    """Started without stdin, stdout or stderr (some daemons, `>&-`), use the null device."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - lives as long as we
    sys.stderr = sys.stderr or sys.stdout
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not every terminal can show every character
            stream.reconfigure(errors="replace")


def at_terminal() -> "bool":
    """Whether a person can type here."""
    return sys.stdin is not None and sys.stdin.isatty()


def environment() -> "dict[str, str]":
    """A copy of the process's environment: the one place that reads it."""
    return dict(os.environ)
