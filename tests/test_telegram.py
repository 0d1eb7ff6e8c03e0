"""Parts of Telegram: calls of the Bot API, texts, routing, and the shared folder."""

import contextlib
import fcntl
import json
import os
import re
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode.child.processes import run_beside
from samocode.lock import locked
from samocode.record.history import History
from samocode.record.state import Question, SessionState
from samocode.session import Session
from samocode.settings.load import Telegram
from samocode.telegram.board import Board
from samocode.telegram.bot import Bot, Request
from samocode.telegram.cards import card, keyboard
from samocode.telegram.outbox import Outbox
from samocode.telegram.reader import TOO_EARLY, Reader
from samocode.telegram.routing import EDITED, GONE, HELP, NONE_RUNS, UNKNOWN, route
from samocode.telegram.spool import Peer, Sent, Spool
from samocode.telegram.text import LIMIT, fit, short, units
from samocode.telegram.updates import Heard, button, heard
from tests.outer.speech import wait_for
from tests.telegram_api import CHAT, TOKEN, Answer, TelegramApi, refusal

BUSY = refusal(429, "Too Many Requests: retry after 0", retry_after=0)
DOWN = Answer(502, b"<html>Bad Gateway</html>")
DROP = Answer(drop=True)


@dataclass
class Sender:
    """An outbox with a Bot API of its own."""

    api: TelegramApi
    folder: Path

    def __post_init__(self) -> None:
        self.said: list[str] = []
        self.spool = Spool({"HOME": str(self.folder)}, TOKEN)
        self.spool.make()
        bot = Bot(Telegram(TOKEN, CHAT, self.api.url))
        self.box = Outbox(bot, self.spool, CHAT, self.said.append, 0.001)
        threading.Thread(target=self.box.run, daemon=True).start()

    def send(self, text: str, patience: float | None = 60) -> list[str]:
        """Wait until it was sent or given up, and return all lines of the outbox."""
        self.box.text(text, patience)
        wait_for(lambda: not self.box.busy)
        return self.said


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("_under_score *star* [x](y) `tick` <b>&amp; \\", None),
        ("Zażółć gęślą jaźń 日本語 🎉\n\tand a tab", None),
        ("a\x00b\x1b[31mc\x7f", "a\ufffdb\ufffd[31mc\ufffd"),
        ("lone \ud83d half", "lone \ufffd half"),
        ("dos\r\nmac\rend", "dos\nmac\nend"),
        (f"my token is {TOKEN}", "my token is ***"),
        ("🎉" * 2048, None),
        (" \n\t ", ""),
    ],
)
def test_any_text_arrives_as_it_is(tmp_path: Path, text: str, arrives: str | None) -> None:
    """Except for control characters and the token. A blank text is not sent."""
    with TelegramApi() as api:
        assert Sender(api, tmp_path).send(text) == []
        assert "".join(api.texts) == (text if arrives is None else arrives)
        assert all(m["preview"] == {"is_disabled": True} for m in api.messages)
        assert api.requests == (arrives != "")


@given(st.text(max_size=600) | st.text(st.sampled_from("a\n 🎉é"), max_size=300))
def test_a_message_fits(text: str) -> None:
    """If it is too long, it is cut with a note."""
    whole, many = fit(text), fit(text * 40)
    assert units(whole) <= LIMIT and units(many) <= LIMIT
    assert ("[cut here" in many) == (units((text * 40).strip()) > LIMIT)
    assert units(short(text, 20)) <= 20 and "\n" not in short(text, 20)


@pytest.mark.parametrize(
    "answers",
    [[BUSY], [DOWN, DOWN], [refusal(429, "no number"), DOWN, DROP],
     [refusal(500, "negative", retry_after=-5)]],
)  # fmt: skip
def test_passing_trouble_is_tried_again(tmp_path: Path, answers: list[Answer]) -> None:
    """It is reported once, and the message arrives once. The reader pauses, too, whatever the
    server asks for."""
    with TelegramApi(answers) as api:
        (said,) = Sender(api, tmp_path).send("hello")
        assert api.texts == ["hello"] and api.requests == len(answers) + 1
        api.polls = answers.copy()
        reader = Reader(Sender(api, tmp_path).box, "k")
        *pauses, last = [reader.turn() for _ in [*answers, None]]
        assert all(pauses) and last == 0.0
    check(said, "not delivered yet.*nothing is lost")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusal(400, "Bad Request: chat not found"), "chat not found.*TELEGRAM_CHAT_ID"),
        (refusal(401, "Unauthorized"), "Unauthorized.*TELEGRAM_BOT_TOKEN"),
        (refusal(403, "Forbidden: bot was blocked by the user"), "blocked.*write to the bot"),
        (refusal(404, "Not Found"), "TELEGRAM_BOT_TOKEN and TELEGRAM_API_URL"),
        (refusal(429, "Too Many Requests", retry_after=3600), "Too Many"),
        (Answer(302, headers=[("Location", "http://127.0.0.1:9/")]), "302.*TELEGRAM_API_URL"),
        (Answer(200, b"<html>a login page</html>"), "200.*TELEGRAM_API_URL"),
        (Answer(200, b"[" * 100_000), "TELEGRAM_API_URL"),
        (Answer(400, b'{"description": ["\\u0007", {}], "parameters": 7}'), "HTTP 400"),
        (refusal(400, f"echo /bot{TOKEN}/ \x1b[31m\nline"), r"/bot\*\*\*/"),
    ],
)
def test_trouble_that_stays_is_said_once(tmp_path: Path, answer: Answer, says: str) -> None:
    """In one sentence. A notice is given up; a question is tried until it arrives."""
    with TelegramApi([answer]) as api:
        sender = Sender(api, tmp_path)
        (said,) = sender.send("hello")
        assert api.requests == 1 and api.texts == []
        check(said, says)
        if b"retry_after" not in answer.body:
            api.answers = [answer] * 3
            assert len(sender.send("a question", None)) == 2
            assert api.texts == ["a question"] and api.requests == 5


def check(trouble: str, says: str) -> None:
    """Assert that it is one printable sentence with these words and without the token."""
    assert re.search(says, trouble) and trouble.isprintable()
    assert TOKEN not in trouble and len(trouble) < 400


@pytest.mark.parametrize("address", ["http://[::1", "http://..invalid", "ftp://127.0.0.1", "no"])
def test_no_server(address: str) -> None:
    """The description names the network error, not an exception that is being handled."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    try:
        raise KeyError("a bug of ours")
    except KeyError:
        for url, says in ((address, ""), (f"http://127.0.0.1:{free}", "Connection refused")):
            reply = Bot(Telegram(TOKEN, CHAT, url)).call(Request("getMe", {}))
            assert reply.status == 0 and reply.passing
            check(reply.description, says)


def test_an_update_is_handed_over_once(tmp_path: Path) -> None:
    """If it is read again after a kill, it replaces the stored one. After a week, a smaller id is
    new."""
    with TelegramApi() as api, locked(tmp_path / "work"):
        sender = Sender(api, tmp_path)
        sender.spool.join(WORK._replace(key="k", folder=str(tmp_path / "work")))
        reader = Reader(sender.box, "k")
        api.say("one")
        api.say("two")
        offset = sender.spool.folder / "offset"
        reader.turn()
        offset.unlink()  # as if it was killed before the offset was written
        reader.turn()
        assert [said.text for _, said in sender.spool.inbox("k", "answer")] == ["one", "two"]
        api.last_update = 5
        api.say("three")
        os.utime(offset, (0, 0))
        assert sender.spool.offset is None
        reader.turn()
        texts = [said.text for _, said in sender.spool.inbox("k", "answer")]
        assert sorted(texts) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("before", "said", "to"),
    [
        ("", "stop", ""),
        ("", "stop other", "other"),  # that session runs already
        ("another process reads", "stop", "work"),
        ("the first read fails", "stop", ""),
    ],
)
def test_a_command_from_before_the_run(tmp_path: Path, before: str, said: str, to: str) -> None:
    """A process refuses a command to its own session if its first successful turn reads it. All
    others reach the session that runs."""
    folders = {name: tmp_path / name for name in ("work", "other")}
    with TelegramApi(polls=[DOWN] if "fails" in before else []) as api, locked(folders["work"]):
        sender = Sender(api, tmp_path)
        spool, reader = sender.spool, Reader(sender.box, "work")
        spool.join(WORK._replace(key="work", folder=str(folders["work"])))
        if before:
            with (spool.folder / "reader").open("w") as held:
                if "another" in before:
                    fcntl.flock(held, fcntl.LOCK_EX)
                reader.turn()
        with locked(folders["other"]) if to == "other" else contextlib.nullcontext():
            spool.join(OTHER._replace(key="other", folder=str(folders["other"])))
            api.say(said)
            reader.turn()
        wait_for(lambda: not sender.box.busy)
        assert [key for key in folders if list(spool.inbox(key, "command"))] == [to] * bool(to)
        assert api.texts == ([] if to else [TOO_EARLY])


def test_buttons_in_another_chat_are_left_alone(tmp_path: Path) -> None:
    """Message ids are unique only in a chat, and TELEGRAM_CHAT_ID may have changed."""
    rows = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
    with TelegramApi() as api:
        sender = Sender(api, tmp_path)
        sender.box.text("a question", reply_markup=rows)
        wait_for(lambda: api.messages)
        for chat, key in (("7", "work"), (CHAT, "other")):
            sender.spool.record(Sent(key, chat, 1, 1, "d", buttons=True))
        session = Session(tmp_path / "work", tmp_path, None, History(tmp_path / "h"))
        Board(session, "work", sender.box, buttons=True).begin()
        sender.send("the end")
        assert api.messages[0]["buttons"]


def test_who_runs(tmp_path: Path) -> None:
    """Only what the process that holds its lock registered. A folder that cannot be read does not
    hide the others."""
    spool = Spool({"HOME": str(tmp_path)}, TOKEN)
    spool.make()
    (tmp_path / "s/.locks").mkdir(parents=True)
    work, other, broken = (tmp_path / "s" / name for name in ("work", "other", "broken"))
    (tmp_path / "s/.locks/broken").symlink_to(tmp_path / "s")
    spool.join(WORK._replace(key="a", folder=str(work)))  # of an earlier run
    spool.join(WORK._replace(key="b", folder=str(broken)))
    with locked(work), locked(other):
        spool.join(WORK._replace(key="c", folder=str(work)))
        spool.join(OTHER._replace(key="d", folder=str(other)))
        assert [peer.key for peer in spool.peers() if peer.running] == ["c", "d"]
    assert [peer.key for peer in spool.peers()] == ["a", "b", "c", "d"]


def test_a_hostile_update_changes_nothing() -> None:
    strange: list[object] = [
        None, [], {}, {"update_id": "7"}, {"update_id": 7}, {"update_id": 7, "message": []},
        {"update_id": 7, "message": {"chat": 5}}, {"update_id": 7, "callback_query": {"data": {}}},
    ]  # fmt: skip
    assert [heard(update) for update in strange] == [None] * len(strange)
    said = heard({"update_id": 7, "edited_message": {"chat": {"id": 5}, "text": "B"}})
    assert said and said.edited and said.text == "B"


def test_a_spool_with_rubbish_in_it(tmp_path: Path) -> None:
    """Files that the token has not signed for this name are ignored."""
    spool = Spool({"XDG_CACHE_HOME": str(tmp_path)}, TOKEN)
    assert TOKEN not in str(spool.folder) and list(spool.inbox("k", "answer")) == []
    spool.make()
    (spool.folder / "inbox/k").mkdir()
    for name in ("offset", "inbox/k/000000000000007-answer", "sent/42.7", "sent/x", "sessions/k"):
        (spool.folder / name).write_text('{"next": "x", "approvers": 5}')
    for name in ("inbox/k/000000000000008-answer", "sent/42.9", "sessions/l", "moved/42"):
        (spool.folder / name / "in").mkdir(parents=True)
    assert spool.offset is None and list(spool.inbox("k", "answer")) == []
    assert list(spool.questions("k")) == [] and list(spool.peers()) == []
    spool.record(QUESTION)
    (spool.folder / "sent/42.8").write_bytes((spool.folder / "sent/42.3").read_bytes())
    assert spool.sent(CHAT, 3) == QUESTION and spool.sent(CHAT, 8) is None
    spool.join(WORK._replace(folder=str(tmp_path)))
    assert [peer.running for peer in spool.peers()] == [False]


WORK = Peer("w", "26-01-08-work", "/work", CHAT, waits=True, running=True)
OTHER = Peer("o", "26-01-08-other", "/other", CHAT, running=True)
TWIN = WORK._replace(key="t", name="26-01-09-work", folder="/twin")
DEAD = Peer("d", "26-01-08-dead", "/dead", CHAT)
GROUP = Peer("g", "26-01-08-group", "/group", "-7", ("5",), waits=True, running=True)
PUBLIC = Peer("p", "26-01-08-public", "/public", "@Name", waits=True, running=True)
UNSENT = Sent("", CHAT, 8)
QUESTION, NOTICE = Sent("w", CHAT, 3, 2, "abc"), Sent("o", CHAT, 4)


@pytest.mark.parametrize(
    ("said", "peers", "sent", "to", "kind", "back"),
    [
        ("B", [WORK, OTHER], None, "w", "answer", ""),
        ("B", [OTHER], None, "", "answer", HELP),
        ("B", [WORK, OTHER._replace(waits=True)], None, "", "answer", "Which session: other or w"),
        ("stop", [WORK], QUESTION, "w", "answer", ""),
        ("/stop", [WORK], QUESTION, "w", "command", ""),
        ("stop", [WORK, OTHER], NOTICE, "o", "command", ""),
        ("stop", [WORK, OTHER], None, "", "answer", "Which session"),
        ("stop work", [WORK, TWIN, OTHER], None, "", "answer", "2 sessions have that name."),
        ("stop 26-01-09-work", [WORK, TWIN, OTHER], None, "t", "command", ""),
        ("/stop using JWT", [WORK], None, "", "answer", HELP),
        ("stop jwt", [WORK, OTHER], None, "", "answer", "Which session"),
        ("Status", [WORK, OTHER, DEAD], None, "wo", "command", ""),
        ("note work tabs", [WORK, OTHER], None, "w", "command", ""),
        ("note work tabs", [WORK], None, "w", "command", ""),
        ("thanks", [OTHER], NOTICE, "", "answer", HELP),
        ("ok", [WORK], NOTICE._replace(key="w"), "", "answer", HELP),
        ("stop", [DEAD], None, "", "answer", NONE_RUNS),
        ("stop", [DEAD], QUESTION._replace(key="d", question=0), "", "answer", "dead does not"),
        ("yes", [WORK], Sent("elsewhere", CHAT, 9), "", "answer", UNKNOWN),
        ("yes", [WORK], UNSENT, "", "answer", UNKNOWN),
    ],
)
def test_where_a_message_goes(
    said: str, peers: list[Peer], sent: Sent | None, to: str, kind: str, back: str
) -> None:
    """To the session that it answers or names, or to the only one that waits. Else the bot asks."""
    message = Heard(1, CHAT, "", "42", 9, said)
    if sent:
        message = message._replace(
            reply_to=sent.message, session=sent.key, question=sent.question, digest=sent.digest
        )
    found = route(message, peers)
    assert found and "".join(peer.key for peer in found.to) == to
    assert found.say.startswith(back) and bool(found.say) == bool(back)
    assert not to or found.kind == kind


@pytest.mark.parametrize(
    ("message", "peers", "to"),
    [
        (Heard(1, "43", "", "42", 9, "B"), [WORK], None),
        (Heard(1, "-7", "", "5", 9, "B"), [GROUP], ""),
        (Heard(1, "-7", "", "5", 9, "/stop"), [GROUP], "g"),
        (Heard(1, "-7", "", "6", 9, "/stop"), [GROUP], None),
        (Heard(1, "-9", "@name", "6", 9, "/stop"), [PUBLIC], None),
        (Heard(1, "-9", "@name", "6", 9, "/stop"), [PUBLIC._replace(approvers=("6",))], "p"),
        (Heard(1, "-7", "@name", "6", 9, "/stop"), [GROUP._replace(approvers=())], None),
        (Heard(1, "-7", "", "6", 9, "/stop"), [GROUP._replace(approvers=())], "g"),
        (Heard(1, CHAT, "@me", "42", 9, "B"), [WORK], "w"),
        (Heard(1, CHAT, "", "42", 9, session="x", press="1"), [WORK], ""),
        (Heard(1, CHAT, "", "42", 9, "B", edited=True), [WORK], ""),
    ],
)
def test_who_is_heard(message: Heard, peers: list[Peer], to: str | None) -> None:
    """The configured chat, and in it the approvers if there are any. In a chat with a @name that
    is not a person's own, nobody without approvers."""
    found = route(message, peers)
    assert (None if found is None else "".join(peer.key for peer in found.to)) == to
    assert not message.press or (found and found.say == GONE)
    assert not message.edited or (found and found.say == EDITED)


def test_a_button_fits_and_names_what_was_shown() -> None:
    """It has at most 64 bytes for any question. Another text has another digest."""
    options = tuple(f"{letter * 200}" for letter in "äöüßéè")
    question = Question(123456, "qa", "t" * 200, "w" * 600, options, "B", "b" * 200)
    state = SessionState(asked={question.id: question})
    shown = card(state, question, "n" * 64, None)
    rows = keyboard(shown, "0123456789ab", question.id)["inline_keyboard"]
    assert [row[0]["text"][0] for row in rows] == ["A", "★", "C", "D", "E", "F"]
    for (each,), letter in zip(rows, "ABCDEF", strict=True):
        assert len(each["callback_data"].encode()) <= 64 and units(each["text"]) <= 60
        assert button(each["callback_data"]) == ("0123456789ab", 123456, shown.digest, letter)
    state.found[question.id] = "something"
    assert card(state, question, "n" * 64, None).digest != shown.digest
    plan = Question(1, "approval", "Approve?", plan="01-08-11:00-plan.md")
    digests = {card(state, plan, "n", text).digest for text in (None, b"# A", b"# A\n")}
    assert len(digests) == 3 and button("q:k:x:d:A") is None and button("") is None


def test_a_command_beside_the_loop(tmp_path: Path) -> None:
    """It says what went wrong: the exit code and the last output, or a timeout. Its processes are
    ended."""
    environ = {"PATH": os.environ["PATH"]}
    data = json.dumps({"text": "é"}).encode()
    assert run_beside(f"cat >{tmp_path}/got", environ, data, 30) is None
    assert (tmp_path / "got").read_bytes() == data
    assert run_beside("echo no >&2; exit 3", environ, data, 30) == "exit code 3: no"
    assert run_beside("exit 3", environ, b"x" * (1 << 20), 30) == "exit code 3"
    slow = f"echo $$ >{tmp_path}/pid; sleep 600 & wait"
    assert run_beside(slow, environ, data, 0.5) == "it ran longer than 0 seconds"
    group = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        wait_for(lambda: os.killpg(group, 0))
