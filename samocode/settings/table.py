"""Every setting, once: its key, its flag, its default, its meaning, and how its text is read.

A new setting is one row here and its use, `settings.NAME`. --help and the command to go on are
built from the rows; tests hold .env.example and README's tables to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from samocode.settings.sources import Row, Table

T = TypeVar("T")

WEEK = 604_800  # seconds; far below what poll() and datetime can hold
# Not plan: measured, a child cannot write its signal in it, whatever tools are allowed.
MODES = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk")
OWN_FLAGS = {
    *("-p", "--print", "--output-format", "--input-format", "--settings", "--bare"),
    *("-c", "--continue", "-r", "--resume", "--session-id", "-w", "--worktree"),
    *("--permission-mode", "--dangerously-skip-permissions"),
    *("--allow-dangerously-skip-permissions", "--model", "--max-budget-usd"),
}


def matching(pattern: str, meaning: str, secret: bool = False) -> Callable[[str], str]:
    """A text of this form. What may hold a secret is not shown."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"{'it' if secret else f'{text!r:.60}'} is not {meaning}")
        return text

    return read


def number(most: int, meaning: str) -> Callable[[str], float]:
    """A number above 0. In plain digits: float() would also take nan, inf, 1_000 and 1e400."""

    def read(text: str) -> float:
        value = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else 0.0
        if not 0 < value <= most:
            raise ValueError(f"{text!r:.60} is not a number of {meaning}")
        return value

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """One of these texts."""
    return matching("|".join(choices), f"one of {', '.join(choices)}")


def optional(read: Callable[[str], T]) -> Callable[[str], T | None]:
    """`read`, and None for no text."""
    return lambda text: read(text) if text else None


ONE_LINE = "one line of UTF-8 text: close every quote, and use single quotes around a backslash"
words = matching(r"[^\ud800-\udfff]+", "UTF-8 text: save or type it as UTF-8", secret=True)
line = matching(r"[^\x00-\x1f\x7f\ud800-\udfff]+", ONE_LINE, secret=True)
script = matching(r"[^\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]+", ONE_LINE, secret=True)
name = matching(r"[^\x00-\x20\x7f\ud800-\udfff]+", "a name: write it without blanks")
seconds = number(WEEK, f"seconds above 0, at most {WEEK} (a week), such as 1800")
dollars = number(1_000_000, "dollars above 0, such as 20 or 2.50")
bot_token = matching(r"\d+:[\w-]+", "a bot token: copy all of it from @BotFather", secret=True)
chat = matching(r"-?\d+|@\w+", "a chat: write its number, or @channel")
url = matching(
    r"https?://([\w.:%~-]+@)?(\[[0-9a-f:]+\]|[\w.-]+)(:[0-6]?\d{1,4})?(/[\w./%~-]*)?",
    "a web address such as https://api.telegram.org",
    secret=True,
)


def count(text: str) -> int:
    """A whole number."""
    return int(matching(r"[0-9]{1,9}", "a whole number, such as 100")(text))


def path(text: str) -> Path:
    """A path; what it is relative to depends on the setting."""
    return Path(line(text)) if text else Path()


def claude_flags(text: str) -> tuple[str, ...]:
    """Flags for claude. They come last and would win over the loop's own, which are refused."""
    import shlex

    if not text:
        return ()
    try:
        flags = tuple(shlex.split(line(text)))
    except ValueError as error:
        raise ValueError(f"{error}: write the flags as in a shell") from error
    if own := sorted({flag.partition("=")[0] for flag in flags} & OWN_FLAGS):
        raise ValueError(
            f"leave {', '.join(own)} out: Samocode sets it, by a setting if it has one"
        )
    return flags


# fmt: off
class RunTable(Table):
    """The settings of a run: from flags, the environment, .env."""

    session = Row("", "--session NAME", "",
        "the session's name; with --task or --dive it is made if needed", optional(words))
    task = Row("", "--task TEXT", "",
        "what to do; - reads it from standard input", optional(words))
    dive = Row("", "--dive TEXT", "",
        "what to look into first; alone: research only", optional(words))
    config = Row("", "--config FILE", "",
        "the project's .samocode, or its folder; else the nearest upwards", optional(path))
    claude_path = Row("CLAUDE_PATH", "", "claude",
        "the Claude CLI: a name on PATH, or a path", line)
    model = Row("CLAUDE_MODEL", "--model MODEL", "opus",
        "the model, as claude --model takes it", name)
    timeout = Row("CLAUDE_TIMEOUT", "--timeout S", "1800",
        "seconds that one iteration may take", seconds)
    permission_mode = Row("CLAUDE_PERMISSION_MODE", "", "bypassPermissions",
        f"what the child may do unasked: {', '.join(MODES)}", one_of(*MODES))
    claude_args = Row("CLAUDE_ARGS", "", "",
        "more flags for claude, quoted as in a shell", claude_flags)
    max_iterations = Row("SAMOCODE_MAX_ITERATIONS", "--max-iterations N", "100",
        "iterations that one run may spawn; the flag takes 0: only make or show the session", count)
    max_cost = Row("SAMOCODE_MAX_COST", "--max-cost USD", "",
        "USD that a session may cost at list prices", optional(dollars))
    max_wait = Row("SAMOCODE_MAX_WAIT", "", "21600",
        "seconds to wait for an outage or a usage limit to end", seconds)
    payer = Row("SAMOCODE_PAYER", "", "",
        "key: accept an API key that claude finds in a settings.json", optional(one_of("key")))
    on_wait = Row("", "--on-wait pause/exit", "pause",
        "at a question: wait for the answer, or exit with code 4", one_of("pause", "exit"))
    yes = Row("", "--yes", "",
        "take suggested answers and approve plans, for this run", bool)
    quiet = Row("", "--quiet", "",
        "print only questions, the ends of iterations and the stop", bool)
    telegram_token = Row("TELEGRAM_BOT_TOKEN", "", "",
        "Telegram messages: the bot's token", optional(bot_token))
    telegram_chat = Row("TELEGRAM_CHAT_ID", "", "",
        "Telegram messages: the chat's number", optional(chat))
    telegram_url = Row("TELEGRAM_API_URL", "", "https://api.telegram.org",
        "Telegram messages: where the Bot API answers", url)
    demo = Row("", "--demo", "",
        "play a whole session with a stand-in: no key, no network", bool)
    check_signal = Row("", "--check-signal DIR", "",
        "the Stop hook: check the signal in DIR", optional(path))


class ProjectTable(Table):
    """The settings of a project: from its .samocode."""

    main_repo = Row("MAIN_REPO", "", "", "the git repository, or a folder in it; required", path)
    worktrees = Row("WORKTREES", "", "", "where worktrees are made; required", path)
    sessions = Row("SESSIONS", "", "", "where session folders are made; required", path)
    base_branch = Row("BASE_BRANCH", "", "",
        "the branch that sessions start from; else origin's default, main, master, the current one",
        optional(name))
    setup = Row("SETUP", "", "",
        "a command that runs once in every new worktree (install packages, copy .env)",
        optional(script))
    verify = Row("VERIFY", "", "",
        "a command that must succeed before a session is done; if not, the next iteration is told",
        optional(script))
