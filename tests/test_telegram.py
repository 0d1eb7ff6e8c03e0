"""Messages to Telegram: what arrives, what is tried again, and what is said when nothing does."""

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


def sent(api: TelegramApi, text: str, token: str = TOKEN) -> tuple[str | None, list[float]]:
    """What `send` returned, and the pauses it asked for."""
    pauses: list[float] = []
    return send(Telegram(token, CHAT, api.url), text, sleep=pauses.append), pauses


def units(text: str) -> int:
    """UTF-16 units, as Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "_under_score *star* [x](y) `tick` <b>&amp; \\",
        "Zażółć gęślą jaźń 日本語 🎉",
        "two\nlines\tand a tab",
    ],
)
def test_any_text_arrives_as_it_is(text: str) -> None:
    with TelegramApi() as api:
        assert sent(api, text) == (None, [])
        assert api.texts == [text]
        assert api.messages[0]["link_preview_options"] == {"is_disabled": True}


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("a\x00b\x1b[31mc\x7f", "a\ufffdb\ufffd[31mc\ufffd"),
        ("lone \ud83d half", "lone \ufffd half"),
        ("dos\r\nmac\rend", "dos\nmac\nend"),
        (f"my token is {TOKEN}", "my token is ***"),
    ],
)
def test_what_would_do_harm_is_replaced(text: str, arrives: str) -> None:
    with TelegramApi() as api:
        assert sent(api, text) == (None, [])
        assert api.texts == [arrives]


def test_nothing_to_say_sends_nothing() -> None:
    with TelegramApi() as api:
        assert sent(api, " \n\t ") == (None, [])
        assert api.requests == 0


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ([BUSY], [3.0]),
        ([DOWN, DOWN], [1.0, 2.0]),
        ([DROP], [1.0]),
        ([refusal(429, "no number"), DOWN, DROP], [1.0, 2.0, 4.0]),
        ([refusal(429, "not a number", retry_after="x")], [1.0]),
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
    assert trouble is not None
    assert re.search(says, trouble)
    assert trouble.isprintable()
    assert TOKEN not in trouble
    assert len(trouble) < 400


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://127.0.0.1:{free}", "Connection refused"),
        ("http://", "nothing is lost"),
        ("http://[::1", "nothing is lost"),
        ("http://..invalid", "nothing is lost"),
        ("ftp://127.0.0.1", "nothing is lost"),
        ("not an address", "nothing is lost"),
    ],
)
def test_no_server_is_told_too(address: str, says: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    trouble = send(Telegram(TOKEN, CHAT, address.format(free=free)), "hi", sleep=lambda _: None)
    assert trouble is not None
    assert says in trouble
    assert TOKEN not in trouble


def test_the_cause_is_the_network_s_also_while_a_bug_is_handled() -> None:
    try:
        raise KeyError("a bug of ours")
    except KeyError:
        trouble = send(Telegram(TOKEN, CHAT, "http://127.0.0.1:1"), "hi", sleep=lambda _: None)
    assert trouble is not None
    assert "Connection refused" in trouble


def test_a_minute_is_all_it_takes() -> None:
    """However often Telegram asks to wait: five messages, and never a try after PATIENCE."""
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    with TelegramApi([refusal(429, "wait", retry_after=25)] * 9) as api:
        trouble = send(Telegram(TOKEN, CHAT, api.url), "hi", sleep, clock=lambda: now)
        assert api.requests == 3
    assert now == 50
    assert trouble is not None


def test_a_slow_server_does_not_hold_the_loop() -> None:
    ticks = chain([0, 59.5], repeat(61))  # half a second is left when it begins
    with TelegramApi([Answer(delay=1.0)] * 9) as api:
        telegram = Telegram(TOKEN, CHAT, api.url)
        trouble = send(telegram, "hi", sleep=lambda _: None, clock=lambda: next(ticks))
        assert api.requests == 1
    assert trouble is not None
    assert "timed out" in trouble


def test_a_long_text_is_cut_at_line_ends_and_says_where_to_read_on() -> None:
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
        ("x" * 4096, [4096]),
        ("x" * 4097, [4096, 1]),
        ("🎉" * 3000, [4096, 1904]),
        ("x" + "🎉" * 3000, [4095, 1906]),
        ("a" + "\n" * 9000 + "b", [4096, 808]),
        ("\n" + "x" * 5000, [4096, 905]),
    ],
)
def test_the_limit_counts_utf_16_units(text: str, sizes: list[int]) -> None:
    with TelegramApi() as api:
        assert sent(api, text) == (None, [])
        assert [units(arrived) for arrived in api.texts] == sizes


def test_what_is_left_when_the_minute_is_over_is_not_tried() -> None:
    ticks = chain([0, 1], repeat(61))
    with TelegramApi() as api:
        telegram = Telegram(TOKEN, CHAT, api.url)
        trouble = send(telegram, "x" * 5000, lambda _: None, clock=lambda: next(ticks))
        assert api.requests == 1
    assert trouble == "Telegram message not delivered (no time left): nothing is lost."


@given(st.text(st.sampled_from("a\n 🎉é"), max_size=300).map(lambda part: part * 40))
def test_split_loses_nothing_but_blanks(text: str) -> None:
    messages = split(text, "here")
    assert len(messages) <= MOST
    assert all(message.strip() and units(message) <= LIMIT for message in messages)
    arrived, cut, _ = "".join(messages).partition("\n[cut here")
    whole = "".join(text.split())
    assert whole.startswith("".join(arrived.split()))
    assert cut or whole == "".join(arrived.split())


@given(st.text(max_size=5000), st.text(max_size=9000))
def test_split_takes_any_text(text: str, read_on: str) -> None:
    for message in split(text * 9, read_on):
        assert 0 < units(message) <= LIMIT
