"""One call of the Bot API. Only this module uses requests."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple, final

from samocode.record.untrusted import mapping, parse
from samocode.settings.load import Telegram
from samocode.telegram.text import clean

TIMEOUT = 15.0  # seconds to connect, and between two bytes of the answer
DOUBLED = 6  # how many times the pause between two tries can double

REMEDIES = {
    400: "check TELEGRAM_CHAT_ID, and write to the bot once so that it may answer",
    401: "check TELEGRAM_BOT_TOKEN",
    403: "write to the bot once, or add it to the chat again",
    404: "check TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL",
    409: "another program reads this bot's messages; give each machine a bot of its own "
    "(@BotFather)",
}


class Request(NamedTuple):
    """A method of the Bot API with its parameters. `document` is a file: name, content."""

    method: str
    params: Mapping[str, Any]
    document: tuple[str, bytes] | None = None


class Reply(NamedTuple):
    """The result of one call. A status of 0 means no answer."""

    status: int
    ok: bool = False
    result: Any = None
    description: str = ""
    retry_after: float | None = None
    """Seconds to wait, as requested by Telegram."""
    moved_to: str | None = None
    """The id of the supergroup that the chat has become."""

    @property
    def passing(self) -> bool:
        """Whether a later try may succeed."""
        return self.status in (0, 429) or self.status >= 500

    @property
    def remedy(self) -> str:
        """What a person can do; empty if a later try may succeed."""
        return "" if self.passing else REMEDIES.get(self.status, "check TELEGRAM_API_URL")

    @property
    def trouble(self) -> str:
        """What went wrong, in parentheses, and the remedy."""
        return f"({self.description})" + (f": {self.remedy}" if self.remedy else "")

    def pause(self, failures: int, first: float) -> float:
        """Seconds until the next try, after so many failures: Telegram's retry_after but at least
        `first`, else `first` doubled for each further failure."""
        if self.retry_after is not None:
            return max(self.retry_after, first)
        return first * 2.0 ** min(failures - 1, DOUBLED)


@final
class Bot:
    """The bot of one token."""

    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self.reached = False
        """Whether Telegram accepted a call in this run, or answered "too many requests"."""

    def call(self, request: Request, timeout: float = TIMEOUT) -> Reply:
        """Call a method. Network and server errors become a Reply."""
        import requests  # slow to import: the listening thread does it, beside the loop

        outer = sys.exception()
        token, params = self._telegram.token, dict(request.params)
        for key in ("text", "caption"):
            if key in params:
                params[key] = params[key].replace(token, "***")
        given: dict[str, Any] = {"json": params}
        if request.document:
            texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
            given = {"data": texts, "files": {"document": request.document}}
        try:
            response = requests.post(
                f"{self._telegram.api_url}/bot{token}/{request.method}",
                timeout=(min(TIMEOUT, timeout), timeout),
                allow_redirects=False,  # the URL contains the token
                **given,
            )
        except (OSError, ValueError) as error:  # all exceptions of requests are OSErrors
            return Reply(0, description=self.redacted(_cause(error, outer)))
        reply = self._reply(response.status_code, mapping(parse(response.content)))
        self.reached = self.reached or reply.ok or reply.status == 429
        return reply

    def _reply(self, status: int, answer: Mapping[str, Any]) -> Reply:
        said = answer.get("description", "not an answer of the Bot API")
        more = mapping(answer.get("parameters"))
        after, moved = more.get("retry_after"), more.get("migrate_to_chat_id")
        return Reply(
            status,
            ok=status == 200 and answer.get("ok") is True,
            result=answer.get("result"),
            description=self.redacted(f"HTTP {status}, {said}"),
            retry_after=float(after) if type(after) is int and 0 <= after < 1e6 else None,
            moved_to=str(moved) if type(moved) is int else None,
        )

    def redacted(self, text: str) -> str:
        """Return the text on one line, without the token. Error messages may contain the URL, and
        the URL contains the token."""
        return " ".join(clean(text).replace(self._telegram.token, "***").split())[:200]


def _cause(error: BaseException, outer: BaseException | None) -> str:
    """Return the first error of the chain, such as "Connection refused". `outer` is an exception
    that the caller is already handling; the chain ends with it."""
    while error.__context__ not in (None, outer):
        error = error.__context__
    return f"{type(error).__name__}: {error}"
