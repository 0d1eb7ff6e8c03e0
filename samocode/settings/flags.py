"""The command line: flags, help, and the command that resumes a session."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
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
    2  usage or configuration  130  ended by Ctrl-C or --stop
    3  blocked                 143  ended by SIGTERM, SIGHUP, --stop now

examples:
  {prog} --session jwt-auth --dive "how login works today" --task "Add JWT login"
  {prog} --session jwt-auth    goes on where that session stopped
  {prog} --status              what every session does, or waits for
"""
USAGE = "%(prog)s --session NAME [--dive TEXT] [--task TEXT] [flag ...]"
SHORT = "samocode"
RAISED = "--max-cost N"  # shown by the resume command at the cost limit
ONCE = {
    *("--config", "--session", "--task", "--dive", "--yes", "--status", "--json", "--stop")
}  # not copied to the resume command


def parse(argv: Sequence[str]) -> dict[str, str]:
    """Return the text of each flag ("yes" for a switch). Wrong usage exits with code 2."""
    parser = _parser()
    flags: dict[str, str] = vars(parser.parse_args(argv))
    if problem := _misuse(flags):
        parser.error(problem)
    return flags


def _parser() -> argparse.ArgumentParser:
    """The flags of the table, in its groups."""
    prog = SHORT if sys.argv[:1] and Path(sys.argv[0]).name == SHORT else "main.py"
    parser = argparse.ArgumentParser(
        prog=prog,
        usage=USAGE,
        description="Run the Claude CLI, once per iteration, until a session is done or needs you.",
        epilog=EPILOG.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
        argument_default=argparse.SUPPRESS,
    )
    rows = [row for row in RunTable.rows().values() if row.flag]
    groups = {
        name: parser.add_argument_group(name) for name in dict.fromkeys(r.group for r in rows)
    }
    for row in rows:
        key = f"; {row.key}" if row.key else ""
        default = f" ({row.default or 'none'})" if row.key or row.default else ""
        names = ["-y", row.flag] if row.flag == "--yes" else [row.flag]
        how: dict[str, Any] = {"action": "store_const", "const": "yes"}
        if row.takes:
            how = {"metavar": row.takes.strip("[]")}
            how |= {"nargs": "?", "const": "yes"} if row.takes.startswith("[") else {}
        help_text = row.meaning + key + default
        groups[row.group].add_argument(*names, dest=row.flag, help=help_text, **how)
    last = groups[rows[-1].group]
    last.add_argument("--version", action="version", version=f"samocode {__version__}")
    last.add_argument("-h", "--help", action="help", help="show this help")
    return parser


def _misuse(flags: Mapping[str, str]) -> str | None:
    looks = {"--status", "--stop"} & flags.keys()
    modes = ({"--session", "--demo", "--check-signal"} | looks) & flags.keys()
    if not modes:
        return "which session? add --session NAME (or see all: --status, or one played: --demo)"
    if len(one := modes - {"--session"} if looks else modes) > 1:
        return f"{', '.join(sorted(one))} exclude each other: keep one"
    if words_given := {"--task", "--dive"} & flags.keys():
        if "--session" not in modes:
            return "--task and --dive need --session NAME: add it, or leave them out"
        if looks:
            return f"{looks.pop()} takes no {' or '.join(sorted(words_given))}: leave one out"
    if "--stop" in modes and "--session" not in modes:
        return "--stop: which session? add --session NAME (--status shows all)"
    if "--json" in flags and "--status" not in looks:
        return "--json needs --status: add it, or leave --json out"
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


def program(environ: Mapping[str, str]) -> list[str]:
    """How this clone is called: by the link that install.sh made, where PATH finds that first."""
    from shutil import which

    main = CLONE / "main.py"
    found = which(SHORT, path=environ.get("PATH", ""))
    return [SHORT] if found and Path(found).resolve() == main else [sys.executable, str(main)]


def resume_command(settings: Settings, session: str, cost_reached: bool) -> str:
    """Return the command that resumes the session. At the cost limit it has `--max-cost N`: the
    same limit would stop the run at once."""
    import shlex

    line = [*program(settings.environ), "--config", str(settings.project.file)]
    line += ["--session", session]
    left_out = {*ONCE, *(["--max-cost"] if cost_reached else [])}
    for name, row in RunTable.rows().items():
        # --max-iterations 0 (show only) is left out
        if row.flag in settings.flags.keys() - left_out and vars(settings)[name]:
            line += [row.flag, settings.flags[row.flag]] if row.takes else [row.flag]
    return shlex.join(line) + (f" {RAISED}" if cost_reached else "")
