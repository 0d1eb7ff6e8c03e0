"""Settings from flags, environment, .env and .samocode, checked together: all problems at once."""

import os
import shlex
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from samocode.record.exits import UserError
from samocode.settings import project
from samocode.settings import table as keys
from samocode.settings.clone import RUN_TAG
from samocode.settings.flags import Options
from samocode.settings.project import Project
from samocode.settings.sources import Layer, Values, expanded, from_environment, from_file, kind
from samocode.settings.table import ENV_KEYS, PROJECT_KEYS, quoted

__all__ = ["ENV_KEYS", "PROJECT_KEYS", "Project", "Settings", "Telegram", "load", "payer"]

Environ = Mapping[str, str]

NOWHERE = Project(Path(), Path(), Path(), Path())  # in place of one that has problems
# In the CLI's order, seen on loopback with 2.1.332. With both of the ANTHROPIC_ ones it sends both.
PAYERS = {
    "CLAUDE_CODE_USE_BEDROCK": "your AWS account (Amazon Bedrock)",
    "CLAUDE_CODE_USE_FOUNDRY": "your Azure account (Microsoft Foundry)",
    "CLAUDE_CODE_USE_VERTEX": "your Google Cloud account (Vertex AI)",
    "ANTHROPIC_API_KEY": "the API account of ANTHROPIC_API_KEY (by the token, no subscription)",
    "ANTHROPIC_AUTH_TOKEN": "the account of ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN": "the subscription of CLAUDE_CODE_OAUTH_TOKEN",
    "": "the login stored by claude (claude auth status shows it)",
}
WITHOUT_KEY = ("", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN")
"""Payers that a key in a settings.json beats, unseen. It does not beat a cloud account."""


@dataclass(frozen=True)
class Telegram:
    """Where notifications go."""

    token: str = field(repr=False)
    chat_id: str
    api_url: str = keys.API_URL.default


@dataclass(frozen=True)
class Settings:
    """All that a run needs to know; times in seconds, money in USD."""

    project: Project
    claude: Path
    claude_args: tuple[str, ...]
    model: str
    timeout: float
    permission_mode: str
    max_iterations: int
    max_cost: float | None
    max_wait: float
    telegram: Telegram | None
    environ: Environ = field(repr=False)  # the user's, as given
    payer: str
    key_may_pay: bool
    """An API key as the payer is announced, or accepted."""
    warnings: tuple[str, ...]


def load(
    options: Options,
    environ: Environ,
    env_file: Path | None,
    cwd: Path,
    uid: Callable[[], int] = os.getuid,
) -> Settings:
    """The settings of this run; a UserError holds every problem, each with its remedy."""
    if environ.get(RUN_TAG):
        raise UserError(
            f"main.py was started by a session's own child ({RUN_TAG} is set): a child ends with "
            "its signal; only a person runs sessions or adds to them."
        )
    problems: list[str] = []
    dotenv = _env_file(env_file, problems)
    values = Values(problems, (from_environment(environ, ENV_KEYS, problems), dotenv))
    spawns = options.max_iterations != 0  # 0 only shows where a session stands
    mode, args = values.get(keys.MODE), values.get(keys.ARGS)
    settings = Settings(
        project=project.read(options.config, cwd, environ, problems) or NOWHERE,
        claude=_claude(values, environ, cwd) if spawns else Path(values.get(keys.CLAUDE)),
        claude_args=args,
        model=values.get(keys.MODEL, options.model),
        timeout=values.get(keys.TIMEOUT, options.timeout),
        permission_mode=mode,
        max_iterations=values.get(keys.ITERATIONS, options.max_iterations),
        max_cost=values.get(keys.COST, options.max_cost),
        max_wait=values.get(keys.WAIT),
        telegram=_telegram(values),
        environ=environ,
        payer=payer(environ),
        key_may_pay=values.get(keys.PAYER) == "key" or paying(environ) not in WITHOUT_KEY,
        warnings=(*_open_secret(env_file, dotenv), *_denials(mode, args)),
    )
    problems.extend(_root(mode, environ, uid) if spawns else ())
    if problems:
        raise UserError(*problems)
    return settings


def payer(environ: Environ) -> str:
    """Who pays for the model, in words; never shows a secret."""
    return PAYERS[paying(environ)]


def paying(environ: Environ) -> str:
    """The variable that says who pays; empty for the stored login."""
    for name in PAYERS:
        value = environ.get(name, "")
        if _on(value) if "_USE_" in name else value:
            return name
    return ""


def _on(value: str) -> bool:
    """As the CLI reads a switch (measured: 2 and y are off)."""
    return value.strip().lower() in ("1", "true", "yes", "on")


def _env_file(path: Path | None, problems: list[str]) -> Layer:
    if path is None or not kind(path):
        return {}
    remedy = (
        "correct it; .env is read by Samocode only: "
        "what claude itself should see, export in your shell"
    )
    return from_file(path, ENV_KEYS, remedy, problems) or {}


def _claude(values: Values, environ: Environ, cwd: Path) -> Path:
    """The CLI's absolute path, links kept: a version manager switches versions by them."""
    text = values.get(keys.CLAUDE)
    name = str(expanded(text, cwd, environ)) if "/" in text else text
    found = shutil.which(name, path=environ.get("PATH", ""))
    if found is None:
        what = "is not on PATH" if "/" not in text else "is no program that can be run"
        values.problems.append(
            f"Claude CLI: {quoted(text)} {what}: install it (npm install -g "
            "@anthropic-ai/claude-code), or set CLAUDE_PATH to where it is."
        )
    return cwd / (found or text)


def _root(mode: str, environ: Environ, uid: Callable[[], int]) -> Iterator[str]:
    """The CLI refuses this; it takes exactly IS_SANDBOX=1 (measured: not yes, not true)."""
    safe = environ.get("IS_SANDBOX") == "1" or _on(environ.get("CLAUDE_CODE_BUBBLEWRAP", ""))
    if mode == "bypassPermissions" and uid() == 0 and not safe:
        yield (
            "claude refuses bypassPermissions to root: run as another user, "
            "or export IS_SANDBOX=1 (only inside a container), or set "
            "CLAUDE_PERMISSION_MODE=acceptEdits."
        )


def _telegram(values: Values) -> Telegram | None:
    token, chat, url = values.get(keys.TOKEN), values.get(keys.CHAT), values.get(keys.API_URL)
    if bool(values.given(keys.TOKEN)) != bool(values.given(keys.CHAT)):
        values.problems.append(
            "TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID need each other: set both, or neither."
        )
    return Telegram(token, chat, url) if token and chat else None


def _open_secret(path: Path | None, dotenv: Layer) -> Iterator[str]:
    if path and keys.TOKEN.name in dotenv and kind(path) & (stat.S_IRWXG | stat.S_IRWXO):
        yield f"{path} holds a bot token and others may read it: chmod 600 {shlex.quote(str(path))}"


def _denials(mode: str, args: tuple[str, ...]) -> Iterator[str]:
    """Measured: outside auto and bypassPermissions a git commit is denied unless it is allowed."""
    allows = any(word.lower().replace("-", "").startswith("allowedtools") for word in args)
    if mode in ("acceptEdits", "default", "dontAsk") and not allows:
        tools = "Bash" if mode == "acceptEdits" else "Bash,Edit,Write"
        yield (
            f"CLAUDE_PERMISSION_MODE={mode} denies what nobody allowed, git commit too: allow it "
            f'in your Claude settings, or set CLAUDE_ARGS="--allowedTools {tools}"'
        )
