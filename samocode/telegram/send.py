"""Send a text to a Telegram chat. Only this module uses requests."""

import re
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from samocode.settings.load import Telegram

LIMIT = 4096  # UTF-16 units per message, core.telegram.org/bots/api#sendmessage
MOST = 5  # messages per text
PATIENCE = 60.0  # seconds for one text, with all messages and tries
TRIES = 4  # per message
TIMEOUT = 15.0  # seconds to connect, and between two bytes of the answer

REMEDIES = {
    400: "check TELEGRAM_CHAT_ID, and write to the bot once so that it may answer",
    401: "check TELEGRAM_BOT_TOKEN",
    403: "write to the bot once, or add it to the chat again",
    404: "check TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL",
}


class Reply(NamedTuple):
    """The result of one try. A status of 0 means no answer."""

    status: int
    delivered: bool
    description: str
    retry_after: float | None = None
    """Seconds to wait, as requested by Telegram."""

    @property
    def passing(self) -> bool:
        return self.status in (0, 429) or self.status >= 500


def send(
    telegram: Telegram,
    text: str,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    read_on: str = "the session folder",
) -> str | None:
    """Send `text`. Return None if all messages arrived, else one sentence that says why not.
    Network and server errors are not raised. The whole takes about PATIENCE seconds at most."""
    until = clock() + PATIENCE
    for message in split(_redacted(telegram, _clean(text)), read_on):
        reply = _persist(telegram, message, sleep, lambda: until - clock())
        if not reply.delivered:
            why = " ".join(_redacted(telegram, _clean(reply.description)).split())[:200]
            remedy = "nothing is lost" if reply.passing else "check TELEGRAM_API_URL"
            remedy = REMEDIES.get(reply.status, remedy)
            return f"Telegram message not delivered ({why}): {remedy}."
    return None


def split(text: str, read_on: str) -> list[str]:
    """Split `text` into at most MOST messages of LIMIT units, preferably at line ends. Blank
    messages are left out, since Telegram refuses them. A note marks where text was cut."""
    messages: list[str] = []
    while text.strip() and len(messages) <= MOST:
        head, text = _cut(text, LIMIT)
        messages += [head] if head.strip() else []
    if len(messages) > MOST:
        note = f"\n[cut here; read on in {_cut(read_on, LIMIT // 4)[0]}]"
        messages[MOST - 1 :] = [_cut(messages[MOST - 1], LIMIT - _units(note))[0] + note]
    return messages


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def _cut(text: str, most: int) -> tuple[str, str]:
    """Split after at most `most` UTF-16 units."""
    units = 0
    for index, char in enumerate(text):
        units += 1 + (char > "\uffff")
        if units > most:
            end = text.rfind("\n", 1, index + 1)
            return (text[:end], text[end + 1 :]) if end > 0 else (text[:index], text[index:])
    return text, ""


def _clean(text: str) -> str:
    """Replace control characters and lone surrogates, which Telegram refuses."""
    text = re.sub(r"\r\n?", "\n", text)
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)


def _redacted(telegram: Telegram, text: str) -> str:
    """Remove the token. An error message may contain the URL, which contains the token."""
    return text.replace(telegram.token, "***")


def _persist(
    telegram: Telegram, message: str, sleep: Callable[[float], None], left: Callable[[], float]
) -> Reply:
    """Try one message until it arrives, fails for good, or the time is over."""
    reply = Reply(0, False, "no time left")
    for attempt in range(TRIES):
        seconds = left()
        if seconds <= 0:
            break
        reply = _try(telegram, message, min(TIMEOUT, seconds))
        pause = 2.0**attempt if reply.retry_after is None else reply.retry_after
        if not reply.passing or attempt == TRIES - 1 or pause >= left():
            break
        sleep(pause)
    return reply


def _try(telegram: Telegram, message: str, timeout: float) -> Reply:
    import requests  # slow to import, and rarely needed

    outer = sys.exception()
    try:
        response = requests.post(
            f"{telegram.api_url}/bot{telegram.token}/sendMessage",
            json={
                "chat_id": telegram.chat_id,
                "text": message,
                "link_preview_options": {"is_disabled": True},
            },
            timeout=timeout,
            allow_redirects=False,  # the URL contains the token
        )
    except (OSError, ValueError) as error:  # all exceptions of requests are OSErrors
        return Reply(0, False, _cause(error, outer))
    try:
        answer = _object(response.json())
    except (ValueError, RecursionError):
        answer = {}
    return _reply(response.status_code, answer)


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _reply(status: int, answer: dict[str, Any]) -> Reply:
    said = answer.get("description", "not what Telegram answers")
    after = _object(answer.get("parameters")).get("retry_after")
    return Reply(
        status,
        delivered=status == 200 and answer.get("ok") is True,
        description=f"HTTP {status}, {said}",
        retry_after=float(after) if type(after) is int and 0 <= after < 1e6 else None,
    )


def _cause(error: BaseException, outer: BaseException | None) -> str:
    """Return the first error of the chain, such as "Connection refused". `outer` is an exception
    that the caller is already handling; the chain ends with it."""
    while error.__context__ not in (None, outer):
        error = error.__context__
    return f"{type(error).__name__}: {error}"
