"""The settings of a run, from all sources, checked together: all problems at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from samocode.record.exits import UserError
from samocode.settings import project
from samocode.settings.clone import RUN_TAG
from samocode.settings.sources import Layer, expanded, from_environment, from_file, kind
from samocode.settings.table import RunTable

Texts = Mapping[str, str]

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


class Telegram(NamedTuple):
    """Where notifications go."""

    token: str
    chat_id: str
    api_url: str = RunTable.telegram_url.default

    def __repr__(self) -> str:
        return f"Telegram({self.chat_id!r}, {self.api_url!r})"  # the token is a secret


class Settings(RunTable):
    """The settings of a run. A UserError has every problem with them, each with its remedy."""

    def __init__(
        self, flags: Texts, environ: Texts, env_file: Path | None, cwd: Path,
        uid: Callable[[], int] = os.getuid, paid_by: str | None = None,
    ) -> None:  # fmt: skip
        if environ.get(RUN_TAG):
            raise UserError(
                f"main.py was started by a session's own child ({RUN_TAG} is set): a child ends "
                "with its signal; only a person runs sessions or adds to them."
            )
        problems: list[str] = []
        variables = from_environment(environ, RunTable, problems)
        dotenv = from_file(env_file, RunTable, problems) if env_file and kind(env_file) else None
        dotenv = dotenv or Layer("", {})
        super().__init__((Layer("command line", flags), variables, dotenv), problems)
        found = project.read(self.config, cwd, environ, problems)
        pair = {"TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"}
        if len(pair & {*variables.texts, *dotenv.texts}) == 1:
            problems.append(f"{' and '.join(sorted(pair))} need each other: set both, or neither.")
        if self.max_iterations == 0 and "--max-iterations" not in flags:
            problems.append("SAMOCODE_MAX_ITERATIONS: 0 lets nothing run: write 1 or more.")
        self.claude = _claude(self.claude_path, cwd, environ)
        idle = self.max_iterations == 0
        self.looks = bool({"--status", "--stop"} & flags.keys()) or (
            idle and not {"--task", "--dive"} & flags.keys()
        )
        """Nothing is made and nothing is run."""
        if not idle and not self.looks:
            problems += self._refusals(environ, uid)
        if problems or found is None:
            raise UserError(*problems)
        self.flags, self.project = flags, found
        self.environ = _absolute(environ, cwd)
        self.paid_by = paid_by or PAYERS[paying(environ)]
        self.key_may_pay = self.payer == "key" or paying(environ) not in WITHOUT_KEY
        token, chat, url = self.telegram_token, self.telegram_chat, self.telegram_url.rstrip("/")
        self.telegram = Telegram(token, chat, url) if token and chat else None
        self.warnings = (*_open_secret(env_file, dotenv), *self._denials())

    def _refusals(self, environ: Texts, uid: Callable[[], int]) -> Iterator[str]:
        """Why claude would not start."""
        if not os.access(self.claude, os.X_OK) or self.claude.is_dir():
            what = "is not executable" if "/" in self.claude_path else "is not on PATH"
            yield (
                f"Claude CLI: {self.claude_path!r} {what}: install it (npm install -g "
                "@anthropic-ai/claude-code), or set CLAUDE_PATH to where it is."
            )
        # The CLI takes exactly IS_SANDBOX=1 (measured: not yes, not true).
        safe = environ.get("IS_SANDBOX") == "1" or _on(environ.get("CLAUDE_CODE_BUBBLEWRAP", ""))
        if self.permission_mode == "bypassPermissions" and uid() == 0 and not safe:
            yield (
                "claude refuses bypassPermissions to root: run as another user, or export "
                "IS_SANDBOX=1 (only inside a container), or set CLAUDE_PERMISSION_MODE=acceptEdits."
            )

    def _denials(self) -> Iterator[str]:
        """Measured: outside auto and bypassPermissions git commit is denied unless allowed."""
        mode, args = self.permission_mode, self.claude_args
        allows = any(word.lower().replace("-", "").startswith("allowedtools") for word in args)
        if mode in ("acceptEdits", "default", "dontAsk") and not allows:
            tools = "Bash" if mode == "acceptEdits" else "Bash,Edit,Write"
            yield (
                f"CLAUDE_PERMISSION_MODE={mode} denies what nobody allowed, git commit too: allow "
                f'it in your Claude settings, or set CLAUDE_ARGS="--allowedTools {tools}"'
            )


def here() -> Path:
    """The folder in which the program was started."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UserError("The folder of this shell was removed: cd to one that exists.") from error


def paying(environ: Texts) -> str:
    """The variable that says who pays; empty for the stored login."""
    for name in PAYERS:
        value = environ.get(name, "")
        if _on(value) if "_USE_" in name else value:
            return name
    return ""


def _on(value: str) -> bool:
    """As the CLI reads a switch (measured: 2 and y are off)."""
    return value.strip().lower() in ("1", "true", "yes", "on")


def _absolute(environ: Texts, cwd: Path) -> Texts:
    """The user's environment, to be used in another folder."""
    paths = {name: environ[name] for name in ("CLAUDE_CONFIG_DIR", "TMPDIR") if environ.get(name)}
    return {**environ, **{name: str(cwd / text) for name, text in paths.items()}}


def _claude(text: str, cwd: Path, environ: Texts) -> Path:
    """The CLI's absolute path, links kept: a version manager switches versions by them."""
    from shutil import which

    if "/" in text:
        return expanded(Path(text), cwd, environ)
    return cwd / (which(text, path=environ.get("PATH", "")) or text)


def _open_secret(path: Path | None, dotenv: Layer) -> Iterator[str]:
    others = stat.S_IRWXG | stat.S_IRWXO
    if path and "TELEGRAM_BOT_TOKEN" in dotenv.texts and kind(path) & others:
        from shlex import quote

        yield f"{path} holds a bot token and others may read it: chmod 600 {quote(str(path))}"
