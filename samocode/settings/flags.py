"""The command line: flags and help, nothing else."""

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar

from samocode import __version__
from samocode.settings.clone import CLONE
from samocode.settings.table import ITERATIONS, MODEL, TIMEOUT, count, dollars, seconds

T = TypeVar("T")

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


RAISED = "--max-cost N"  # in the command to go on: the person chooses the new total


@dataclass(frozen=True)
class Options:
    """What the user asked for on this command line. None: not said."""

    config: Path | None = None
    session: str | None = None
    task: str | None = None
    dive: str | None = None
    timeout: float | None = None  # seconds
    model: str | None = None
    max_iterations: int | None = None
    max_cost: float | None = None  # USD
    on_wait: Literal["pause", "exit"] = "pause"
    yes: bool = False
    demo: bool = False
    check_signal: Path | None = None


def parse(argv: Sequence[str], stdin: BinaryIO | None = None) -> Options:
    """Options from `argv` (less the program's name); wrong usage ends the program with code 2."""
    parser = _parser()
    options = Options(**vars(parser.parse_args(argv)))
    problem = _misuse(options)
    if problem:
        parser.error(problem)
    if options.task == "-":
        options = replace(options, task=_piped(parser, stdin))
    return options


def resume_command(options: Options, config: Path, session: str, cost_reached: bool) -> str:
    """The exact command that goes on from here. At the cost limit it has an N for the person to
    choose: the same limit would stop it again at once."""
    words = [sys.executable, str(CLONE / "main.py"), "--config", str(config), "--session", session]
    given = {
        "--model": options.model,
        "--timeout": options.timeout,
        "--max-iterations": options.max_iterations,
        "--max-cost": None if cost_reached else options.max_cost,
        "--on-wait": options.on_wait if options.on_wait == "exit" else None,
    }
    words += [word for flag, value in given.items() if value for word in (flag, f"{value}")]
    return shlex.join(words) + (f" {RAISED}" if cost_reached else "")


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is empty: write some, or leave the flag out")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("this is not UTF-8 text: save or type it as UTF-8") from error
    return text


def _path(text: str) -> Path:
    return Path(_text(text))


def _told(read: Callable[[str], T]) -> Callable[[str], T]:
    """`read` for argparse, which shows a sentence only if it comes as ArgumentTypeError."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _misuse(options: Options) -> str | None:
    modes = [options.session is not None, options.demo, options.check_signal is not None]
    if not any(modes):
        return "which session? add --session NAME (or see one played: --demo)"
    if sum(modes) > 1:
        return "--session, --demo and --check-signal exclude each other: keep one"
    if options.session is None and (options.task or options.dive):
        return "--task and --dive need --session NAME: add it, or leave them out"
    return None


def _piped(parser: argparse.ArgumentParser, stdin: BinaryIO | None) -> str:
    """The task from standard input, without the line end that echo and editors add."""
    source = stdin or (sys.stdin.buffer if sys.stdin else None)  # None: started with stdin closed
    try:
        return _text((source.read() if source else b"").decode("utf-8-sig").rstrip())
    except UnicodeDecodeError:
        parser.error("argument --task: standard input is not UTF-8 text: save it as UTF-8")
    except (OSError, ValueError):
        parser.error("argument --task: nothing came on standard input: pipe the task in")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="main.py",
        description="Run the Claude CLI, once per iteration, until a session is done or needs you.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_session_flags(parser)
    _add_limit_flags(parser)
    modes = parser.add_argument_group("instead of a session")
    modes.add_argument(
        "--demo",
        action="store_true",
        help="play a whole session with a stand-in: no key, no network",
    )
    modes.add_argument(
        "--check-signal", metavar="DIR", type=_told(_path), help="the Stop hook: check DIR's signal"
    )
    modes.add_argument("--version", action="version", version=f"samocode {__version__}")
    return parser


def _add_session_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the session")
    add = group.add_argument
    add(
        "--session",
        metavar="NAME",
        type=_told(_text),
        help="its name; with --task or --dive it is made if needed",
    )
    add(
        "--task",
        metavar="TEXT",
        type=_told(_text),
        help="what to do; - reads it from standard input",
    )
    add(
        "--dive",
        metavar="TEXT",
        type=_told(_text),
        help="what to look into first; alone: research only",
    )
    add(
        "--config",
        metavar="FILE",
        type=_told(_path),
        help="the project's .samocode (default: the nearest upwards)",
    )


def _add_limit_flags(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("this run (each default is a key of .env)")
    add = group.add_argument
    add("--model", metavar="MODEL", type=_told(_text), help=f"{MODEL.name} ({MODEL.default})")
    add(
        "--timeout",
        metavar="S",
        type=_told(seconds),
        help=f"seconds an iteration may take; {TIMEOUT.name} ({TIMEOUT.default})",
    )
    add(
        "--max-iterations",
        metavar="N",
        type=_told(count(0)),
        help=f"spawns in this run; {ITERATIONS.name} ({ITERATIONS.default}); "
        "0: make or find the session, print where it stands",
    )
    add(
        "--max-cost",
        metavar="USD",
        type=_told(dollars),
        help="the session's, at list prices; SAMOCODE_MAX_COST (none)",
    )
    add(
        "--on-wait",
        choices=("pause", "exit"),
        default="pause",
        help="at a question: wait for the answer, or exit 4",
    )
    add(
        "-y",
        "--yes",
        action="store_true",
        help="take suggested answers and approve plans, for this run",
    )
