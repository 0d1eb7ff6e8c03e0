"""Checks whether notices would arrive by Telegram and SAMOCODE_NOTIFY_COMMAND."""

from __future__ import annotations

from collections.abc import Iterator

from samocode.check.finding import Finding, Place, ok, problem, warning
from samocode.record.untrusted import mapping
from samocode.show.notices import hand_over
from samocode.telegram.bot import Bot, Reply, Request

WORDS = "samocode --check --live: notices arrive here."


def phone(place: Place, limit: float) -> Iterator[Finding]:
    """Yield whether the bot and its chat exist."""
    settings, telegram = place.settings, place.settings.telegram
    if telegram is None:
        if not settings.notify_command:
            yield ok("not set up: questions wait at the terminal (README: The phone)")
        return
    bot = Bot(telegram)
    me = bot.call(Request("getMe", {}), limit)
    if not me.ok:
        yield _refused(me)
        return
    yield ok(f"the bot is @{mapping(me.result).get('username')}")
    chat = bot.call(Request("getChat", {"chat_id": telegram.chat_id}), limit)
    if not chat.ok:
        yield _refused(chat)
        return
    found = mapping(chat.result)
    yield ok(f"the chat is {telegram.chat_id} ({found.get('type')})")
    if found.get("username") and found.get("type") != "private" and not telegram.approvers:
        yield warning("nobody may answer in a public chat", "Set TELEGRAM_APPROVERS.")


def _refused(reply: Reply) -> Finding:
    what = reply.description
    if reply.passing:
        return warning(f"Telegram gives no answer ({what})", "Check the network, or a proxy.")
    return problem(f"Telegram refuses ({what})", f"{reply.remedy[:1].upper()}{reply.remedy[1:]}.")


def notice(place: Place, limit: float) -> Iterator[Finding]:
    """Send a notice by each way that is set up, and yield whether it was taken."""
    settings, telegram = place.settings, place.settings.telegram
    if telegram:
        message = {"chat_id": telegram.chat_id, "text": WORDS}
        sent = Bot(telegram).call(Request("sendMessage", message), limit)
        yield ok("a notice was sent by Telegram") if sent.ok else _refused(sent)
    if settings.notify_command:
        given = {"session": "check", "event": "check", "title": "samocode", "text": WORDS}
        trouble = hand_over(settings, given)
        yield (
            problem(trouble, "Correct it in .env.")
            if trouble
            else ok("a notice was given to SAMOCODE_NOTIFY_COMMAND")
        )
