"""The command line: flags, help, and the command that resumes a session."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samocode import __version__
from samocode.record.exits import UserError
from samocode.settings.clone import CLONE
from samocode.settings.table import RunTable

if TYPE_CHECKING:
    from samocode.settings.load import Settings

EPILOG = """\
exit codes:
    0  done                      4  waiting for the human (--on-wait exit)
    1  failed                    5  limit reached (iterations, cost, usage wait)
    2  usage or configuration  130  ended by Ctrl-C
    3  blocked                 143  ended by SIGTERM or SIGHUP

examples:
  main.py --session jwt-auth --dive "how login works today" --task "Add JWT login"
  main.py --session jwt-auth              goes on where that session stopped
"""
RAISED = "--max-cost N"  # shown by the resume command at the cost limit
ONCE = ("--config", "--session", "--task", "--dive", "--yes")  # not copied to the resume command


def parse(argv: Sequence[str]) -> dict[str, str]:
    """Return the text of each flag ("yes" for a switch). Wrong usage exits with code 2."""
    parser = argparse.ArgumentParser(
        prog="main.py",
        description="Run the Claude CLI, once per iteration, until a session is done or needs you.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    for row in RunTable.rows().values():
        key = f"; {row.key}" if row.key else ""
        default = f" ({row.default or 'none'})" if row.key or row.default else ""
        names = ["-y", row.flag] if row.flag == "--yes" else [row.flag]
        how: dict[str, Any] = {"action": "store_const", "const": "yes"}
        how = {"metavar": row.takes} if row.takes else how
        if row.flag:
            parser.add_argument(*names, dest=row.flag, help=row.meaning + key + default, **how)
    parser.add_argument("--version", action="version", version=f"samocode {__version__}")
    flags: dict[str, str] = vars(parser.parse_args(argv))
    if problem := _misuse(flags):
        parser.error(problem)
    return flags


def _misuse(flags: Mapping[str, str]) -> str | None:
    modes = {"--session", "--demo", "--check-signal"} & flags.keys()
    if not modes:
        return "which session? add --session NAME (or see one played: --demo)"
    if len(modes) > 1:
        return "--session, --demo and --check-signal exclude each other: keep one"
    if "--session" not in modes and {"--task", "--dive"} & flags.keys():
        return "--task and --dive need --session NAME: add it, or leave them out"
    return None


def words(settings: Settings) -> dict[str, str]:
    """Return the texts of --task and --dive, by kind. `--task -` reads standard input."""
    task = _piped() if settings.task == "-" else settings.task
    return {kind: text for kind, text in (("dive", settings.dive), ("task", task)) if text}


def _piped() -> str:
    """Read the task from standard input, without trailing whitespace."""
    try:
        # stdin is None if the program was started with stdin closed
        text = sys.stdin.buffer.read().decode("utf-8-sig").rstrip() if sys.stdin else ""
    except UnicodeDecodeError as error:
        raise UserError("--task: standard input is not UTF-8 text: save it as UTF-8.") from error
    except OSError:
        text = ""
    if not text:
        raise UserError("--task: nothing came on standard input: pipe the task in.")
    return text


def resume_command(settings: Settings, session: str, cost_reached: bool) -> str:
    """Return the command that resumes the session. At the cost limit it has `--max-cost N`: the
    same limit would stop the run at once."""
    import shlex

    line = [sys.executable, str(CLONE / "main.py"), "--config", str(settings.project.file)]
    line += ["--session", session]
    left_out = {*ONCE, *(["--max-cost"] if cost_reached else [])}
    for name, row in RunTable.rows().items():
        # --max-iterations 0 (show only) is left out
        if row.flag in settings.flags.keys() - left_out and vars(settings)[name]:
            line += [row.flag, settings.flags[row.flag]] if row.takes else [row.flag]
    return shlex.join(line) + (f" {RAISED}" if cost_reached else "")
