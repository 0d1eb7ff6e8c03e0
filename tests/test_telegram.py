"""Messages to Telegram: what arrives, what is tried again, and what a failure says."""

from __future__ import annotations

import re
import socket
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode.settings.load import Telegram
from samocode.telegram.send import LIMIT, MOST, send, split
from tests.telegram_api import CHAT, TOKEN, Answer, TelegramApi, refusal

BUSY = refusal(429, "Too Many Requests: retry after 3", retry_after=3)
DOWN = Answer(502, b"<html>Bad Gateway</html>")
DROP = Answer(drop=True)


def sent(api: TelegramApi, text: str) -> tuple[str | None, list[float]]:
    """What `send` returned, and the pauses it asked for."""
    pauses: list[float] = []
    return send(Telegram(TOKEN, CHAT, api.url), text, sleep=pauses.append), pauses


def units(text: str) -> int:
    """UTF-16 units, as Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("_under_score *star* [x](y) `tick` <b>&amp; \\", None),
        ("Zażółć gęślą jaźń 日本語 🎉\n\tand a tab", None),
        ("a\x00b\x1b[31mc\x7f", "a\ufffdb\ufffd[31mc\ufffd"),
        ("lone \ud83d half", "lone \ufffd half"),
        ("dos\r\nmac\rend", "dos\nmac\nend"),
        (f"my token is {TOKEN}", "my token is ***"),
        (" \n\t ", ""),
    ],
)
def test_any_text_arrives_as_it_is(text: str, arrives: str | None) -> None:
    """Only control characters and the token are replaced, and blanks are not sent."""
    with TelegramApi() as api:
        assert sent(api, text) == (None, [])
        assert "".join(api.texts) == (text if arrives is None else arrives)
        assert all(m["link_preview_options"] == {"is_disabled": True} for m in api.messages)
        assert api.requests == (arrives != "")


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ([BUSY], [3.0]),
        ([DOWN, DOWN], [1.0, 2.0]),
        ([refusal(429, "no number"), DOWN, DROP], [1.0, 2.0, 4.0]),
        ([refusal(500, "negative", retry_after=-5)], [1.0]),
    ],
)
def test_passing_trouble_is_tried_again(answers: list[Answer], pauses: list[float]) -> None:
    with TelegramApi(answers) as api:
        assert sent(api, "hello") == (None, pauses)
        assert api.texts == ["hello"]


@pytest.mark.parametrize(
    ("answer", "tries", "says"),
    [
        (refusal(400, "Bad Request: chat not found"), 1, "chat not found.*TELEGRAM_CHAT_ID"),
        (refusal(401, "Unauthorized"), 1, "Unauthorized.*TELEGRAM_BOT_TOKEN"),
        (refusal(403, "Forbidden: bot was blocked by the user"), 1, "blocked.*write to the bot"),
        (refusal(404, "Not Found"), 1, "TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL"),
        (refusal(429, "Too Many Requests", retry_after=3600), 1, "Too Many.*nothing is lost"),
        (Answer(302, headers=[("Location", "http://127.0.0.1:9/")]), 1, "302.*TELEGRAM_API_URL"),
        (Answer(200, b"<html>a login page</html>"), 1, "200.*TELEGRAM_API_URL"),
        (Answer(200, b'{"ok": false}'), 1, "TELEGRAM_API_URL"),
        (Answer(200, b"[" * 100_000), 1, "TELEGRAM_API_URL"),
        (Answer(400, b'{"description": ["\\u0007", {}], "parameters": 7}'), 1, "HTTP 400"),
        (refusal(400, f"echo /bot{TOKEN}/ \x1b[31m\nline"), 1, r"/bot\*\*\*/"),
        (DOWN, 4, "HTTP 502.*nothing is lost"),
        (DROP, 4, "RemoteDisconnected.*nothing is lost"),
    ],
)
def test_trouble_that_stays_is_told_in_one_sentence(answer: Answer, tries: int, says: str) -> None:
    with TelegramApi([answer] * 9) as api:
        trouble, _ = sent(api, "hello")
        assert api.requests == tries
    check(trouble, says)


def check(trouble: str | None, says: str) -> None:
    """One printable sentence with these words and without the token."""
    assert trouble is not None and re.search(says, trouble)
    assert trouble.isprintable() and TOKEN not in trouble and len(trouble) < 400


@pytest.mark.parametrize("address", ["http://[::1", "http://..invalid", "ftp://127.0.0.1", "no"])
def test_no_server_is_told_too(address: str) -> None:
    """The cause is the network's, also while an error of the loop is handled."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    try:
        raise KeyError("a bug of ours")
    except KeyError:
        for url, says in ((address, "nothing"), (f"http://127.0.0.1:{free}", "Connection refused")):
            check(send(Telegram(TOKEN, CHAT, url), "hi", sleep=lambda _: None), says)


def test_a_minute_is_all_it_takes() -> None:
    """However often Telegram asks to wait, however slow it is, and however much is left to send."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    with TelegramApi([refusal(429, "wait", retry_after=25)] * 9) as api:
        assert send(Telegram(TOKEN, CHAT, api.url), "hi", sleep, clock=lambda: now)
        assert (api.requests, now) == (3, 50)
    ticks = chain([0, 59.5], repeat(61))  # half a second is left when the request begins
    with TelegramApi([Answer(delay=1.0)] * 9) as api:
        said = send(Telegram(TOKEN, CHAT, api.url), "hi", sleep, clock=lambda: next(ticks))
        assert api.requests == 1
    check(said, "timed out")
    ticks = chain([0, 1], repeat(61))
    with TelegramApi() as api:
        said = send(Telegram(TOKEN, CHAT, api.url), "x" * 5000, sleep, clock=lambda: next(ticks))
        assert api.requests == 1
    assert said == "Telegram message not delivered (no time left): nothing is lost."


def test_a_long_text_is_cut_at_line_ends() -> None:
    """The last message says where to read on."""
    lines = [f"line {number} {'x' * 90}" for number in range(1000)]
    with TelegramApi() as api:
        assert sent(api, "\n".join(lines)) == (None, [])
    assert len(api.texts) == MOST
    assert api.texts[-1].endswith("\n[cut here; read on in the session folder]")
    arrived = "\n".join(api.texts).rpartition("\n")[0].split("\n")
    assert arrived == lines[: len(arrived)]


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("x" * 4097, [4096, 1]),
        ("x" + "🎉" * 3000, [4095, 1906]),
        ("a" + "\n" * 9000 + "b", [4096, 808]),
        ("\n" + "x" * 5000, [4096, 905]),
    ],
)
def test_the_limit_counts_utf_16_units(text: str, sizes: list[int]) -> None:
    with TelegramApi() as api:
        assert sent(api, text) == (None, [])
        assert [units(arrived) for arrived in api.texts] == sizes


@given(st.text(max_size=600) | st.text(st.sampled_from("a\n 🎉é"), max_size=300), st.text())
def test_split_loses_nothing_but_blanks(text: str, read_on: str) -> None:
    text *= 40
    messages = split(text, read_on)
    assert len(messages) <= MOST
    assert all(message.strip() and units(message) <= LIMIT for message in messages)
    arrived, cut, _ = "\n".join(messages).partition("\n[cut here")
    whole = "".join(text.split())
    assert whole.startswith("".join(arrived.split()))
    assert cut or whole == "".join(arrived.split())
