"""Every setting: its key, its default, one line of meaning, and how its text is read.

A new one also needs: its field in load.Settings; with a flag, its field in flags.Options, the flag,
and a line in flags.resume_command; README and .env.example (tests compare them)."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

WEEK = 604_800  # seconds; far below what poll() and datetime can hold
# Not plan: measured, a child cannot write its signal in it, whatever tools are allowed.
MODES = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk")
OWN_FLAGS = {
    **dict.fromkeys(("-p", "--print", "--output-format", "--input-format"), "Samocode sets it"),
    **dict.fromkeys(("-c", "--continue", "-r", "--resume", "--session-id"), "iterations start new"),
    **dict.fromkeys(("-w", "--worktree"), "Samocode makes the worktree"),
    **dict.fromkeys(("--settings", "--bare"), "it turns the Stop hook off"),
    "--permission-mode": "CLAUDE_PERMISSION_MODE says it",
    "--dangerously-skip-permissions": "CLAUDE_PERMISSION_MODE says it",
    "--allow-dangerously-skip-permissions": "CLAUDE_PERMISSION_MODE says it",
    "--model": "CLAUDE_MODEL says it",
    "--max-budget-usd": "SAMOCODE_MAX_COST says it",
}


@dataclass(frozen=True)
class Key(Generic[T_co]):
    """A setting: its name, its default as one would write it ("": none), and its meaning.

    `read` takes a text without outer blanks; its ValueError says what would do, no secret.
    """

    name: str
    default: str
    meaning: str
    read: Callable[[str], T_co]


def quoted(text: str) -> str:
    """`text` as it may stand in a message: in quotes, escaped, 60 characters at most."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def count(low: int) -> Callable[[str], int]:
    """A reader of whole numbers from `low` up."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < low:
            raise ValueError(f"{quoted(text)} is not a whole number from {low} up, such as 100")
        return int(text)

    return read


def seconds(text: str) -> float:
    """A length of time, at most a week."""
    return _number(text, WEEK, f"seconds above 0, at most {WEEK} (a week), such as 1800")


def dollars(text: str) -> float:
    """An amount in USD."""
    return _number(text, 1_000_000, "dollars above 0, such as 20 or 2.50")


def _number(text: str, most: int, meaning: str) -> float:
    """Plain digits only: float() would also take nan, inf, 1_000 and 1e400."""
    value = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else 0.0
    if not 0 < value <= most:
        raise ValueError(f"{quoted(text)} is not a number of {meaning}")
    return value


def _line(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text):
        raise ValueError("it holds a control character: write one line of UTF-8, close every quote")
    return text


def _script(text: str) -> str:
    _line(re.sub(r"[\n\t]", " ", text))
    return text


def _optional(read: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda text: read(text) if text else None


def _matching(pattern: str, remedy: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(remedy)
        return text

    return read


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port above 65535, a bracket left open
        fits = False
    if not fits or re.search(r"[^!-~]|[?#]", text):
        raise ValueError(f"it is not a web address such as {API_URL.default}")
    return text.rstrip("/")


def _mode(text: str) -> str:
    if text not in MODES:
        raise ValueError(f"{quoted(text)} cannot run unattended: write one of {', '.join(MODES)}")
    return text


def _words(text: str) -> tuple[str, ...]:
    """Flags for claude. They come last and would win over the loop's own: those are refused."""
    try:
        words = tuple(shlex.split(_line(text)))
    except ValueError as error:
        raise ValueError(f"{error}: write the flags as in a shell") from error
    given = {word.partition("=")[0] for word in words}
    own = [f"leave {flag} out, {why}" for flag, why in OWN_FLAGS.items() if flag in given]
    if own:
        raise ValueError("; ".join(own))
    return words


_bot_token = _matching(r"\d+:[\w-]+", "it is not a bot token: copy all of it from @BotFather")
_chat_id = _matching(r"-?\d+|@\w+", "it is not a chat: write its number, or @channel")

CLAUDE = Key("CLAUDE_PATH", "claude", "The Claude CLI: a name on PATH, or a path", _line)
MODEL = Key("CLAUDE_MODEL", "opus", "The model, as claude --model takes it", _line)
TIMEOUT = Key("CLAUDE_TIMEOUT", "1800", "Seconds that one iteration may take", seconds)
MODE = Key(
    "CLAUDE_PERMISSION_MODE",
    "bypassPermissions",
    f"What the child may do unasked: {', '.join(MODES)}",
    _mode,
)
ARGS = Key("CLAUDE_ARGS", "", "More flags for claude, quoted as in a shell", _words)
TOKEN = Key("TELEGRAM_BOT_TOKEN", "", "Telegram messages: the bot's token", _optional(_bot_token))
CHAT = Key("TELEGRAM_CHAT_ID", "", "Telegram messages: the chat's number", _optional(_chat_id))
API_URL = Key("TELEGRAM_API_URL", "https://api.telegram.org", "Where the Bot API answers", _url)
ITERATIONS = Key("SAMOCODE_MAX_ITERATIONS", "100", "Iterations that one run may spawn", count(1))
COST = Key("SAMOCODE_MAX_COST", "", "USD a session may cost at list prices", _optional(dollars))
WAIT = Key("SAMOCODE_MAX_WAIT", "21600", "Seconds to wait for an outage or a usage limit", seconds)
PAYER = Key(
    "SAMOCODE_PAYER",
    "",
    "key: accept an API key that claude finds in a settings.json",
    _optional(_matching("key", "write key, or leave it empty")),
)
ENV_KEYS: tuple[Key[object], ...] = (
    *(CLAUDE, MODEL, TIMEOUT, MODE, ARGS),
    *(TOKEN, CHAT, API_URL),
    *(ITERATIONS, COST, WAIT, PAYER),
)

REPO = Key("MAIN_REPO", "", "Main git repository path", _line)
WORKTREES = Key("WORKTREES", "", "Where git worktrees are created", _line)
SESSIONS = Key("SESSIONS", "", "Where session folders are stored", _line)
BASE = Key("BASE_BRANCH", "", "Branch that sessions start from", _optional(_line))
SETUP = Key("SETUP", "", "Command that runs once in a new worktree", _optional(_script))
VERIFY = Key("VERIFY", "", "Command that must succeed before done", _optional(_script))
PROJECT_KEYS: tuple[Key[object], ...] = (REPO, WORKTREES, SESSIONS, BASE, SETUP, VERIFY)
