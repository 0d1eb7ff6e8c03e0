"""Load and check the settings of a run. All problems are reported together."""

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
from samocode.settings.table import LOOKS, RunTable

Texts = Mapping[str, str]

# In the order of precedence of CLI 2.1.332, observed with a local server. If both ANTHROPIC_
# variables are set, it sends both.
PAYERS = {
    "CLAUDE_CODE_USE_BEDROCK": "your AWS account (Amazon Bedrock)",
    "CLAUDE_CODE_USE_FOUNDRY": "your Azure account (Microsoft Foundry)",
    "CLAUDE_CODE_USE_VERTEX": "your Google Cloud account (Vertex AI)",
    "ANTHROPIC_API_KEY": "the API account of ANTHROPIC_API_KEY (billed by token, no subscription)",
    "ANTHROPIC_AUTH_TOKEN": "the account of ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN": "the subscription of CLAUDE_CODE_OAUTH_TOKEN",
    "": "the login stored by claude (claude auth status shows it)",
}
WITHOUT_KEY = ("", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_AUTH_TOKEN")
"""A key in a settings.json silently takes precedence over these, but not over a cloud account."""
PAIR = {"TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"}


class Telegram(NamedTuple):
    """Telegram bot and chat."""

    token: str
    chat_id: str
    api_url: str = RunTable.telegram_url.default
    approvers: tuple[str, ...] = ()
    """Ids of the users who may answer; empty: everybody in the chat."""

    def __repr__(self) -> str:
        return f"Telegram({self.chat_id!r}, {self.api_url!r})"  # without the token


class Settings(RunTable):
    """The settings of a run. UserError lists every problem, each with its remedy. With `gather`,
    problems are added to that list instead. A wrong setting then has its default, and an unusable
    path is empty."""

    def __init__(
        self, flags: Texts, environ: Texts, env_file: Path | None, cwd: Path,
        uid: Callable[[], int] = os.getuid, paid_by: str | None = None,
        gather: list[str] | None = None,
    ) -> None:  # fmt: skip
        if environ.get(RUN_TAG):
            raise UserError(
                f"main.py was started by a session's own child ({RUN_TAG} is set). Only a person "
                "runs sessions or adds to them. A child writes its signal and exits."
            )
        problems = [] if gather is None else gather
        variables = from_environment(environ, RunTable, problems)
        dotenv = from_file(env_file, RunTable, problems) if env_file and kind(env_file) else None
        dotenv = dotenv or Layer("", {})
        super().__init__((Layer("command line", flags), variables, dotenv), problems)
        found = project.read(self.config, cwd, environ, problems)
        if len(PAIR & {*variables.texts, *dotenv.texts}) == 1:
            problems.append(f"{' and '.join(sorted(PAIR))} need each other: set both, or neither.")
        if self.max_iterations == 0 and "--max-iterations" not in flags:
            problems.append("SAMOCODE_MAX_ITERATIONS: with 0 nothing runs: write 1 or more.")
        self.claude = _claude(self.claude_path, cwd, environ)
        idle = self.max_iterations == 0
        self.looks = bool({*LOOKS} & flags.keys()) or (
            idle and not {"--task", "--dive"} & flags.keys()
        )
        """Nothing is created and nothing runs."""
        if not idle and not self.looks:
            problems += self._refusals(environ, uid)
        if gather is None and (problems or found is None):
            raise UserError(*problems)
        self.flags, self.project = flags, found or project.nowhere(cwd)
        self.environ = _absolute(environ, cwd)
        self.models = self.phase_models or self.project.phase_models
        """Models by phase; a phase without one uses `model`."""
        self.paid_by = paid_by or PAYERS[paying(environ)]
        self.key_may_pay = self.payer == "key" or paying(environ) not in WITHOUT_KEY
        token, chat, url = self.telegram_token, self.telegram_chat, self.telegram_url.rstrip("/")
        people = self.telegram_approvers
        self.telegram = Telegram(token, chat, url, people) if token and chat else None
        self.warnings = (*_open_secret(env_file, dotenv), *self._denials())

    def model_for(self, phase: str, again: bool) -> str:
        """Return the model of the next iteration. After a failure (`again`), it is the default."""
        return self.model if again else self.models.get(phase, self.model)

    def _refusals(self, environ: Texts, uid: Callable[[], int]) -> Iterator[str]:
        """Yield the reasons why claude would refuse to start."""
        if not os.access(self.claude, os.X_OK) or self.claude.is_dir():
            what = "is not executable" if "/" in self.claude_path else "is not on PATH"
            yield (
                f"Claude CLI: {self.claude_path!r} {what}: install it (npm install -g "
                "@anthropic-ai/claude-code), or set CLAUDE_PATH to where it is."
            )
        # The CLI accepts only IS_SANDBOX=1, not yes or true (CLI 2.1.332).
        safe = environ.get("IS_SANDBOX") == "1" or is_on(environ.get("CLAUDE_CODE_BUBBLEWRAP", ""))
        if self.permission_mode == "bypassPermissions" and uid() == 0 and not safe:
            yield (
                "claude refuses bypassPermissions for root: run as another user, or export "
                "IS_SANDBOX=1 (only inside a container), or set CLAUDE_PERMISSION_MODE=acceptEdits."
            )

    def _denials(self) -> Iterator[str]:
        """Warn about a mode that denies git commit (all but auto and bypassPermissions do)."""
        mode, args = self.permission_mode, self.claude_args
        allows = any(word.lower().replace("-", "").startswith("allowedtools") for word in args)
        if mode in ("acceptEdits", "default", "dontAsk") and not allows:
            tools = "Bash" if mode == "acceptEdits" else "Bash,Edit,Write"
            yield (
                f"CLAUDE_PERMISSION_MODE={mode} denies all that no rule allows, git commit too. "
                f'Allow it in your Claude settings, or set CLAUDE_ARGS="--allowedTools {tools}"'
            )


def here() -> Path:
    """Return the current working directory."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UserError("The folder of this shell was removed: cd to one that exists.") from error


def paying(environ: Texts) -> str:
    """Return the variable that decides who pays; empty for the stored login."""
    for name in PAYERS:
        value = environ.get(name, "")
        if is_on(value) if "_USE_" in name else value:
            return name
    return ""


def is_on(value: str) -> bool:
    """Whether the CLI reads this value as true. It rejects 2 and y (CLI 2.1.332)."""
    return value.strip().lower() in ("1", "true", "yes", "on")


def _absolute(environ: Texts, cwd: Path) -> Texts:
    """Make relative paths in the environment absolute, for use from another folder."""
    paths = {name: environ[name] for name in ("CLAUDE_CONFIG_DIR", "TMPDIR") if environ.get(name)}
    return {**environ, **{name: str(cwd / text) for name, text in paths.items()}}


def _claude(text: str, cwd: Path, environ: Texts) -> Path:
    """Return the CLI's absolute path. Links are not resolved, because version managers
    use them to switch versions."""
    from shutil import which

    if "/" in text:
        return expanded(Path(text), cwd, environ)
    return cwd / (which(text, path=environ.get("PATH", "")) or text)


def _open_secret(path: Path | None, dotenv: Layer) -> Iterator[str]:
    others = stat.S_IRWXG | stat.S_IRWXO
    if path and "TELEGRAM_BOT_TOKEN" in dotenv.texts and kind(path) & others:
        from shlex import quote

        yield f"{path} holds a bot token, and others can read it. Run: chmod 600 {quote(str(path))}"
