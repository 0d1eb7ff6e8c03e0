"""The command line: flags, help, and the command that resumes a session."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from samocode import __version__
from samocode.record.exits import UserError
from samocode.record.words import nearest
from samocode.settings.clone import CLONE, environment
from samocode.settings.table import LOOKS, RunTable

if TYPE_CHECKING:
    from samocode.settings.load import Settings

EPILOG = """\
exit codes:
    0  done                      4  waiting for you (--on-wait exit)
    1  failed                    5  limit reached (iterations, cost, usage limit)
    2  usage or settings       130  ended by Ctrl-C or --stop
    3  blocked                 143  ended by SIGTERM, SIGHUP, --stop now

examples:
  {prog} --session jwt-auth --dive "how login works today" --task "Add JWT login"
  {prog}             resume the one session that is not done
  {prog} --status    what every session does, or waits for
"""
USAGE = "%(prog)s [--session NAME] [--dive TEXT] [--task TEXT] [flag ...]"
SHORT = "samocode"
RAISED = "--max-cost N"  # shown by the resume command at the cost limit
ONCE = {
    *("--config", "--session", "--task", "--dive", "--yes"),
    *("--status", "--json", "--report", "--stop", "--watch", "--until-change"),
}  # not copied to the resume command


def parse(argv: Sequence[str]) -> dict[str, str]:
    """Return the text of each flag ("yes" for a switch). Wrong usage exits with code 2."""
    parser = _parser()
    found, unknown = parser.parse_known_args(argv)
    flags: dict[str, str] = vars(found)
    if problem := _unknown(unknown) or _misuse(flags):
        parser.error(problem)
    return flags


def _parser() -> argparse.ArgumentParser:
    """The flags of the table, in its groups."""
    prog = SHORT if sys.argv[:1] and Path(sys.argv[0]).name == SHORT else "main.py"
    parser = _Parser(
        prog=prog,
        usage=USAGE,
        description="Run the Claude CLI, once per iteration, until a session is done or needs\n"
        "you. Settings are also variables, in the environment or in .env beside\n"
        "main.py: README lists them.",
        epilog=EPILOG.format(prog=prog),
        formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=_width()),
        allow_abbrev=False,
        add_help=False,
        argument_default=argparse.SUPPRESS,
    )
    rows = [row for row in RunTable.rows().values() if row.flag]
    groups = {
        name: parser.add_argument_group(name) for name in dict.fromkeys(r.group for r in rows)
    }
    for row in rows:
        default = f" ({row.default})" if row.default else ""
        names = ["-y", row.flag] if row.flag == "--yes" else [row.flag]
        how: dict[str, Any] = {"action": "store_const", "const": "yes"}
        if row.takes:
            how = {"metavar": row.takes.strip("[]")}
            how |= {"nargs": "?", "const": "yes"} if row.takes.startswith("[") else {}
        hidden = row.flag == "--check-signal"  # only claude calls it
        help_text = argparse.SUPPRESS if hidden else row.meaning + default
        groups[row.group].add_argument(*names, dest=row.flag, help=help_text, **how)
    last = groups[rows[-1].group]
    last.add_argument(
        "--version", action="version", version=f"samocode {__version__}", help="show the version"
    )
    last.add_argument("-h", "--help", action="help", help="show this help")
    return parser


def _width() -> int:
    """Return the width of the help. argparse would find it for each flag, with slow imports."""
    try:
        columns = int(environment().get("COLUMNS") or 0) or os.get_terminal_size(1).columns
    except (ValueError, OSError):
        columns = 80
    return columns - 2


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{SHORT}: {message}. All flags: {self.prog} --help\n")


def _unknown(words: Sequence[str]) -> str | None:
    if not words:
        return None
    known = [row.flag for row in RunTable.rows().values() if row.flag]
    first = next((word for word in words if word.startswith("-")), words[0])
    near = nearest(first.partition("=")[0], [*known, "--help", "--version"])
    hint = "" if first.startswith("-") else " (each text needs a flag before it, and quotes)"
    return f"unknown: {first}{near or hint}"


def _misuse(flags: Mapping[str, str]) -> str | None:
    modes = [flag for flag in (*LOOKS, "--check", "--demo", "--check-signal") if flag in flags]
    if len(modes) > 1:
        return f"{' and '.join(modes)} exclude each other: keep one"
    texts = [flag for flag in ("--task", "--dive") if flag in flags]
    if modes and texts:
        return f"{modes[0]} takes no {' or '.join(texts)}: leave one out"
    for flag, needs in (("--json", "--status"), ("--live", "--check")):
        if flag in flags and needs not in flags:
            return f"{flag} needs {needs}: add it, or leave {flag} out"
    return None


def user_texts(settings: Settings) -> dict[str, str]:
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
    """Return the command that starts this clone: `samocode` if PATH finds the link that install.sh
    made, else Python and main.py."""
    from shutil import which

    main = CLONE / "main.py"
    found = which(SHORT, path=environ.get("PATH", ""))
    return [SHORT] if found and Path(found).resolve() == main else [sys.executable, str(main)]


def resume_command(settings: Settings, session: str, cost_reached: bool) -> str:
    """Return the command that resumes the session. At the cost limit it has `--max-cost N`,
    because the same limit would stop the run at once."""
    import shlex

    line = program(settings.environ)
    if "--config" in settings.flags:
        line += ["--config", str(settings.project.file)]
    line += ["--session", session]
    left_out = {*ONCE, *(["--max-cost"] if cost_reached else [])}
    left_out |= {"--quiet"} if settings.looks else set()
    for name, row in RunTable.rows().items():
        # --max-iterations 0 (show only) is left out
        if row.flag in settings.flags.keys() - left_out and vars(settings)[name]:
            line += [row.flag, settings.flags[row.flag]] if row.takes else [row.flag]
    return shlex.join(line) + (f" {RAISED}" if cost_reached else "")
