"""The table of settings. Each row has a key, a flag, a default, a meaning and a parser. To add a
setting, add a row and use `settings.NAME`. The help and the resume command follow from the rows.
Tests compare .env.example and README with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from samocode.record.state import PHASES
from samocode.settings.sources import Row, Table

T = TypeVar("T")

WEEK = 604_800  # seconds; well within the range of poll() and datetime
# Without `plan`: in that mode a child cannot write its signal (CLI 2.1.332).
MODES = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""Values of claude --effort (CLI 2.1.332)."""
OWN_FLAGS = {
    *("-p", "--print", "--output-format", "--input-format", "--settings", "--bare"),
    *("-c", "--continue", "-r", "--resume", "--session-id", "-w", "--worktree"),
    *("--permission-mode", "--dangerously-skip-permissions"),
    *("--allow-dangerously-skip-permissions", "--model", "--max-budget-usd"),
}


def matching(pattern: str, meaning: str, secret: bool = False) -> Callable[[str], str]:
    """Return a parser for matching text. Its error shows the text unless it is `secret`."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"{'it' if secret else f'{text!r:.60}'} is not {meaning}")
        return text

    return read


def number(most: int, meaning: str) -> Callable[[str], float]:
    """Return a parser for positive numbers in plain digits. float() accepts nan, inf and 1_000."""

    def read(text: str) -> float:
        value = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else 0.0
        if not 0 < value <= most:
            raise ValueError(f"{text!r:.60} is not a number of {meaning}")
        return value

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    return matching("|".join(choices), f"valid: write {' or '.join(choices)}")


def optional(read: Callable[[str], T]) -> Callable[[str], T | None]:
    """Return a parser that reads empty text as None."""
    return lambda text: read(text) if text else None


ONE_LINE = "one line of UTF-8 text: close every quote, and use single quotes around a backslash"
words = matching(r"[^\ud800-\udfff]+", "UTF-8 text: save or type it as UTF-8", secret=True)
line = matching(r"[^\x00-\x1f\x7f\ud800-\udfff]+", ONE_LINE, secret=True)
script = matching(r"[^\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]+", ONE_LINE, secret=True)
name = matching(r"[^\x00-\x20\x7f\ud800-\udfff]+", "a name: write it without blanks")
seconds = number(WEEK, f"seconds above 0, at most {WEEK} (a week), such as 1800")
dollars = number(1_000_000, "dollars above 0, such as 20 or 2.50")
percent = number(99, "percent above 0, at most 99, such as 20")
bot_token = matching(r"\d+:[\w-]+", "a bot token: copy all of it from @BotFather", secret=True)
chat = matching(r"-?\d+|@\w+", "a chat: write its number, or @channel")
since = matching("yes|[0-9]{1,9}", "the number that --until-change printed")
people = matching(r"\d+(?:[\s,]+\d+)*", "a list of user ids: write numbers, such as 12345, 67890")
stops = matching("yes|now", "a way to stop: write --stop, or --stop now")
url = matching(
    r"https?://([\w.:%~-]+@)?(\[[0-9a-f:]+\]|[\w.-]+)(:[0-6]?\d{1,4})?(/[\w./%~-]*)?",
    "a web address such as https://api.telegram.org",
    secret=True,
)


def count(text: str) -> int:
    return int(matching(r"[0-9]{1,9}", "a whole number, such as 100")(text))


def user_ids(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", people(text))) if text else ()


def path(text: str) -> Path:
    return Path(line(text)) if text else Path()


def phase_models(text: str) -> Mapping[str, str]:
    """Return the model of each named phase, as `model` or `model:effort`."""
    found = dict[str, str]()
    for word in text.replace(",", " ").split():
        phase, _, model = word.partition("=")
        if phase not in PHASES or not model or phase in found:
            raise ValueError(
                f"{word!r:.60}: write each phase once, as PHASE=MODEL or PHASE=MODEL:EFFORT, such "
                f"as planning=opus:xhigh. Phases: {', '.join(PHASES)}"
            )
        found[phase] = model
    return found


def claude_flags(text: str) -> tuple[str, ...]:
    """Parse flags for claude. Those that the loop relies on are refused: the last one would win."""
    import shlex

    if not text:
        return ()
    try:
        flags = tuple(shlex.split(line(text)))
    except ValueError as error:
        raise ValueError(f"{error}: write the flags as in a shell") from error
    if own := sorted({flag.partition("=")[0] for flag in flags} & OWN_FLAGS):
        raise ValueError(
            f"leave {', '.join(own)} out: Samocode passes it; use its setting, if it has one"
        )
    return flags


PHASE_MODELS = "models by phase, such as planning=opus:xhigh testing=sonnet:low"
WORK, LOOK = "begin or resume a session", "look at sessions, stop one"
LIMITS, MORE = "the child, limits and questions", "more"
"""Headings of help, in the order of their first rows."""
LOOKS = ("--status", "--report", "--stop", "--watch", "--until-change")
"""Flags with which nothing is created or run."""


# fmt: off
class RunTable(Table):
    """The settings of a run, from flags, the environment and .env."""

    session = Row("", "--session NAME", "",
        "default: the only unfinished one; with --task a new one", optional(words), WORK)
    task = Row("", "--task TEXT", "",
        "what to do; - reads standard input", optional(words), WORK)
    dive = Row("", "--dive TEXT", "",
        "what to look into first; alone: research only", optional(words), WORK)
    config = Row("", "--config FILE", "",
        "default: the nearest .samocode, here or above", optional(path), WORK)
    status = Row("", "--status", "",
        "show all sessions, or one in detail", bool, LOOK)
    json = Row("", "--json", "",
        "with --status: print JSON", bool, LOOK)
    report = Row("", "--report", "",
        "write a session as an HTML page, for a browser", bool, LOOK)
    watch = Row("", "--watch", "",
        "show what a running loop does", bool, LOOK)
    until_change = Row("", "--until-change [N]", "",
        "wait until a loop stops or needs you, then say so", optional(since), LOOK)
    stop = Row("", "--stop [now]", "",
        "stop a loop after its iteration, or now", optional(stops), LOOK)
    claude_path = Row("CLAUDE_PATH", "", "claude",
        "the Claude CLI: a name on PATH, or a path", line)
    model = Row("CLAUDE_MODEL", "--model MODEL", "opus",
        "the model, as for claude --model", name, LIMITS)
    phase_models = Row("SAMOCODE_PHASE_MODELS", "", "", PHASE_MODELS, phase_models)
    timeout = Row("CLAUDE_TIMEOUT", "--timeout S", "1800",
        "seconds that one iteration may take", seconds, LIMITS)
    permission_mode = Row("CLAUDE_PERMISSION_MODE", "", "bypassPermissions",
        f"what the child may do unasked: {', '.join(MODES)}", one_of(*MODES))
    claude_args = Row("CLAUDE_ARGS", "", "",
        "more flags for claude, quoted as in a shell, such as --fallback-model sonnet",
        claude_flags)
    max_iterations = Row("SAMOCODE_MAX_ITERATIONS", "--max-iterations N", "100",
        "iterations of a run; 0: only create the session",
        count, LIMITS)
    max_cost = Row("SAMOCODE_MAX_COST", "--max-cost USD", "",
        "USD that a session may cost at list prices", optional(dollars), LIMITS)
    max_wait = Row("SAMOCODE_MAX_WAIT", "", "21600",
        "seconds to wait for an outage or a usage limit to end", seconds)
    keep_quota = Row("SAMOCODE_KEEP_QUOTA", "", "",
        "percent of a subscription's five-hour and weekly limits to leave for you",
        optional(percent))
    payer = Row("SAMOCODE_PAYER", "", "",
        "set it to key to accept an API key that claude finds in a settings.json",
        optional(one_of("key")))
    on_wait = Row("", "--on-wait pause/exit", "pause",
        "at a question: wait, or exit with code 4", one_of("pause", "exit"), LIMITS)
    yes = Row("", "--yes", "",
        "take suggested answers and approve plans", bool, LIMITS)
    quiet = Row("", "--quiet", "",
        "show only questions and how iterations end", bool, MORE)
    telegram_token = Row("TELEGRAM_BOT_TOKEN", "", "",
        "Telegram: the bot's token", optional(bot_token))
    telegram_chat = Row("TELEGRAM_CHAT_ID", "", "",
        "Telegram: the chat's number, or @name of a public chat", optional(chat))
    telegram_approvers = Row("TELEGRAM_APPROVERS", "", "",
        "Telegram: ids of the users who may answer; empty: all in the chat, if it is not public",
        user_ids)
    telegram_url = Row("TELEGRAM_API_URL", "", "https://api.telegram.org",
        "Telegram: URL of the Bot API", url)
    notify_command = Row("SAMOCODE_NOTIFY_COMMAND", "", "",
        "a command that gets each notice as JSON on its standard input", optional(script))
    check = Row("", "--check", "",
        "show whether this machine and project are ready", bool, MORE)
    live = Row("", "--live", "",
        "with --check: also one small call and a notice", bool, MORE)
    report_at_done = Row("SAMOCODE_REPORT", "", "on",
        "set it to off to write no _report.html when a session is done", one_of("on", "off"))
    demo = Row("", "--demo", "",
        "play a session with a stand-in: no key, no network", bool, MORE)
    check_signal = Row("", "--check-signal DIR", "",
        "the Stop hook: check the signal in DIR", optional(path), MORE)


class ProjectTable(Table):
    """The settings of a project, from its .samocode."""

    main_repo = Row("MAIN_REPO", "", "",
        "the git repository, or a folder in it (for research, any folder); required", path)
    worktrees = Row("WORKTREES", "", "", "where worktrees are made; required", path)
    sessions = Row("SESSIONS", "", "", "where session folders are made; required", path)
    base_branch = Row("BASE_BRANCH", "", "",
        "the branch that sessions start from; default: origin's default, main, master or current",
        optional(name))
    setup = Row("SETUP", "", "",
        "a command that runs once in every new worktree (install packages, copy .env)",
        optional(script))
    verify = Row("VERIFY", "", "",
        "a command that must succeed before a session is done; if it fails, the next iteration "
        "gets its output",
        optional(script))
    phase_models = Row("SAMOCODE_PHASE_MODELS", "", "",
        PHASE_MODELS + "; the variable of the same name wins", phase_models)
