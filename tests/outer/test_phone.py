"""The phone: questions, answers, commands and notices by Telegram, through main.py."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outer import speech
from tests.outer.speech import wait_for
from tests.outer.stage import DONE, EXIT, TO_DONE, TO_PLANNING, Loop, Stage, git
from tests.telegram_api import CONFLICT, Answer, TelegramApi, refusal, result

Q1, Q2, PLAN = "Q1: Which?\n\n", "Q2: Where?\n\n", "Approve the plan"
COMMIT = "commit('a.py', 'two\\n'); "


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    """A Bot API, and the private chat of one person."""
    with TelegramApi() as made:
        yield made


@pytest.fixture
def stage(quick: Stage, api: TelegramApi) -> Stage:
    """A project whose loops use the Bot API."""
    quick.extra |= api.environ
    return quick


def shown(api: TelegramApi, words: str) -> None:
    """Wait until the bot has said this."""
    wait_for(lambda: api.find(words))


def second(stage: Stage) -> Stage:
    """Another project of the same user and bot; its session is `other`."""
    home = {"HOME": stage.environ["HOME"]}
    return Stage(stage.folder / "second", stage.extra | home, name="other", fast=True).with_git()


def answered(stage: Stage) -> list[tuple[int, str, str]]:
    """Every answer on record."""
    return speech.answers(stage.session)


def test_both_gates_are_answered_from_the_phone(stage: Stage, api: TelegramApi) -> None:
    """The phone shows one question at a time. Each answer is confirmed, and its buttons are
    removed."""
    stage.script("ask('Which?', 'Where?')", TO_PLANNING, "plan()", COMMIT + TO_DONE, DONE)
    loop = stage.start()
    shown(api, Q1)
    assert api.find(Q2) is None
    assert [label for label, _ in api.messages[0]["buttons"]] == ["★ A) One", "B) Two"]
    api.press("B) Two", Q1, again=2)
    shown(api, Q2)
    api.say("over there\nor here", to=Q2)
    shown(api, PLAN)
    api.press("Approve", PLAN)
    assert loop.wait().code == 0, loop.out
    assert answered(stage) == [
        (1, "B) Two", "telegram"), (2, "over there\nor here", "telegram"),
        (3, "A) Approve", "telegram"),
    ]  # fmt: skip
    confirmed = ["Q1: B, Two", "Q2: over there or here", "Q3: approved"]
    said = [m["text"] for m in api.messages if m["reply_to"]]
    assert said == [f"work · {line}" for line in confirmed]
    assert confirmed[0] in api.toasts and any("already" in toast for toast in api.toasts)
    assert not [m for m in api.messages if m["buttons"]]
    (plan,) = [m for m in api.messages if m["file"]]
    assert plan["file"] == ("plan.md", (stage.session / "plan.md").read_text())
    assert api.texts[-1].startswith("work · done\n\nIt works.\n1 commit on samocode/")
    assert all(message["text"].startswith("work · ") for message in api.messages)


def test_answers_in_the_shared_folder_need_the_bots_signature(
    stage: Stage, api: TelegramApi
) -> None:
    """Answers in the shared folder count only with the bot's signature. A process that a child left
    may write there, but does not have the token."""
    stage.script(TO_PLANNING, "plan()", DONE)
    loop = stage.start()
    shown(api, PLAN)
    cache = Path(stage.environ["HOME"], ".cache/samocode/telegram")
    (session,) = cache.glob("*/sessions/*[!k]")
    box = session.parents[1] / "inbox" / session.name
    box.mkdir(exist_ok=True)
    said = {"id": 9, "chat": "4", "chat_name": "", "user": "4", "message": 10**9, "text": "yes"}
    for name, made in (("a", said), ("b", {"heard": said, "seal": "0" * 64})):
        speech.save(box / f"00000000000000{name}-answer", json.dumps(made))
    wait_for(lambda: not list(box.glob("*-answer")))
    assert answered(stage) == []
    api.say("yes", to=PLAN)
    loop.wait()
    assert answered(stage) == [(1, "yes", "telegram")]


def test_a_button_answers_only_the_plan_it_was_sent_for(stage: Stage, api: TelegramApi) -> None:
    """If the plan has changed on disk, a press shows the new plan. "Change" asks what to change. A
    button of an earlier plan does not answer the next question."""
    stage.script(TO_PLANNING, "plan()", "plan('# Another\\n')", "signal('blocked', reason='x')")
    loop = stage.start()
    shown(api, PLAN)
    first = api.messages[-1]
    (stage.session / "plan.md").write_text("# Quite another\n")
    api.press("Approve", PLAN)
    wait_for(lambda: len([m for m in api.messages if m["file"]]) == 2)
    assert api.messages[-1]["file"][1] == "# Quite another\n" and answered(stage) == []
    wait_for(lambda: not first["buttons"])
    api.press("Change", PLAN)
    shown(api, "what should change?")
    api.say("smaller steps", to="what should change?")
    shown(api, "Q1: change: smaller steps")
    shown(api, "Q2: Approve")
    api.pressed(first["had"][0][1], first["id"])
    wait_for(lambda: any("Answered already" in toast for toast in api.toasts))
    assert answered(stage) == [(1, "smaller steps", "telegram")]
    api.press("Approve", "Q2: Approve")
    assert loop.wait().code == 3 and stage.children == 4


def test_a_second_message_behind_the_last_answer_gets_a_reply(
    stage: Stage, api: TelegramApi
) -> None:
    """It came together with the answer, and nothing is asked any more."""
    stage.script("ask('Which?')", f"hold(); {DONE}")
    loop = stage.start()
    shown(api, Q1)
    api.fall()
    api.say("B")
    api.say("but smaller")
    api.fall(False)
    shown(api, "Not read: nothing is asked now")
    stage.go()
    assert loop.wait().code == 0 and answered(stage) == [(1, "B", "telegram")]


def test_an_answer_from_elsewhere_closes_the_question(stage: Stage, api: TelegramApi) -> None:
    """After an answer in the file, the buttons are removed, the phone shows the answer, and a late
    press changes nothing."""
    stage.script("ask('Which?')", "hold(); " + DONE)
    loop = stage.start()
    shown(api, Q1)
    late = api.messages[0]["buttons"][0][1]
    api.say("", to=Q1)  # a photo
    shown(api, "I can read only text.")
    speech.answer(stage.session, 1, "B")
    shown(api, "Q1: B, Two (by file)")
    stage.up(2)
    api.pressed(late, api.messages[0]["id"])
    wait_for(lambda: api.toasts)
    (toast,) = api.toasts
    assert toast.startswith("Answered already. Q1: B, Two (by file)")
    assert not api.messages[0]["buttons"]
    stage.go()
    assert loop.wait().code == 0 and len(answered(stage)) == 1


def test_commands_while_a_child_works(stage: Stage, api: TelegramApi) -> None:
    """status, note and stop work while a child works. Other texts get the help. Messages of people
    who are not approvers are ignored."""
    stage.script("hold(); signal()", DONE)
    stage.extra["TELEGRAM_APPROVERS"] = "42"
    loop = stage.start()
    stage.up(1)
    api.say("stop", user=13)
    api.say("hello")
    shown(api, "note TEXT: tell it")
    api.say("/status@my_bot")
    shown(api, "running: iteration 1 for")
    status = api.texts[-1]
    assert "Phase investigation (1 of 7)" in status and "Ignored messages of others: 1" in status
    api.say("note use tabs\nnot blanks")
    shown(api, "Noted for the next iteration: use tabs not blanks")
    api.say("Stop")
    shown(api, "It stops as soon as no iteration runs.")
    stage.go()
    assert loop.wait().code == 130 and stage.children == 1
    assert "Stopped by Telegram." in api.texts[-1]
    assert stage.run().code == 0
    assert "use tabs\nnot blanks" in stage.told(2)


def test_in_a_group_only_approvers_answer(stage: Stage) -> None:
    """In a group only replies, buttons and /commands of approvers count."""
    stage.script("ask('Which?')", DONE)
    with TelegramApi(chat="-42") as api:
        stage.extra |= api.environ | {"TELEGRAM_APPROVERS": "7, 8"}
        loop = stage.start()
        shown(api, Q1)
        api.press("One", Q1, user=9)
        api.say("B", to=Q1, user=9)
        api.say("A", user=8)
        api.say("/status", user=8)
        shown(api, "Ignored messages of others: 2")
        assert answered(stage) == []
        api.press("Two", Q1, user=8)
        assert loop.wait().code == 0, loop.out
    assert answered(stage) == [(1, "B) Two", "telegram")]


def test_an_approver_of_an_earlier_run_answers_nothing(stage: Stage) -> None:
    """A start with other approvers ignores presses of earlier approvers, even if a child restores
    the session record of the earlier run."""
    stage.script("ask('Which?')", DONE)
    with TelegramApi(chat="-42") as api:
        stage.extra |= api.environ
        loop = stage.start()
        shown(api, Q1)
        (record,) = Path(stage.environ["HOME"]).glob(".cache/samocode/telegram/*/sessions/*")
        everybody = record.read_bytes()
        loop.send(signal.SIGKILL).wait()
        stage.extra["TELEGRAM_APPROVERS"] = "7"
        loop = stage.start()
        wait_for(lambda: len([text for text in api.texts if Q1 in text]) == 2)
        record.write_bytes(everybody)
        api.press("Two", Q1, user=9)
        wait_for(lambda: api.toasts)
        api.press("One", Q1, user=7)
        assert loop.wait().code == 0, loop.out
    assert answered(stage) == [(1, "A) One", "telegram")]


def test_exit_at_a_question_reads_the_reply_at_the_next_start(
    stage: Stage, api: TelegramApi
) -> None:
    """With --on-wait exit all questions are sent at once, without buttons. Replies are read at the
    next start."""
    stage.script("ask('Which?', 'Where?')", DONE)
    assert stage.begin(*EXIT).code == 4
    assert api.find(Q1) and api.find(Q2) and not any(m["buttons"] for m in api.messages)
    assert "2 open questions" in api.texts[-1]
    api.say("b", to=Q1)
    api.say("here", to=Q2)
    api.say("stop")
    ended = stage.run(*EXIT)
    assert ended.code == 0, ended.out
    assert answered(stage) == [(1, "b", "telegram"), (2, "here", "telegram")]
    assert api.find("Q1: B, Two") and api.find("Send it again if you still want it.")


@pytest.mark.parametrize("recorded", [True, False])
def test_buttons_survive_a_killed_loop(stage: Stage, api: TelegramApi, recorded: bool) -> None:
    """A press while no loop runs counts at the next start, and the buttons are removed, also if the
    loop was killed before it recorded the message. The question is not sent again."""
    stage.script("ask('Which?')", DONE)
    loop = stage.start()
    shown(api, Q1)
    cache = stage.folder / "home/.cache/samocode/telegram"
    wait_for(lambda: list(cache.glob("*/sent/*[0-9]")))
    loop.send(signal.SIGKILL).wait()
    if not recorded:
        for path in cache.glob("*/sent/*"):
            path.unlink()
    api.press("Two", Q1)
    assert stage.run().code == 0
    assert answered(stage) == [(1, "B) Two", "telegram")]
    assert len([text for text in api.texts if Q1 in text]) == 1
    assert not api.messages[0]["buttons"]


def test_two_loops_share_a_bot_and_one_is_killed(stage: Stage, api: TelegramApi) -> None:
    """Replies go to the session that they answer, whichever loop reads them. If a text fits two
    sessions, the bot asks which one is meant. If the reading loop is killed, the other one reads,
    and answers to the killed one wait for its start."""
    other = second(stage)
    stage.script("ask('Which?')", DONE)
    other.script("ask('Which?', 'Where?')", DONE)
    try:
        loop = stage.start()
        shown(api, "work · " + Q1)
        loops = [loop, other.start()]
        shown(api, "other · " + Q1)
        api.say("A")
        shown(api, "Which session: other or work? Reply to its question.")
        api.press("Two", "other · " + Q1)
        shown(api, "other · " + Q2)
        assert answered(other) == [(1, "B) Two", "telegram")]
        api.say("status")
        shown(api, "work · waiting for you: Q1: Which?")
        shown(api, "other · waiting for you: Q2: Where?")
        api.say("note use tabs")
        shown(api, "Which session: other or work? Write note and its name.")
        loops[0].send(signal.SIGKILL).wait()
        api.press("One", "work · " + Q1)
        wait_for(lambda: "work is not running. It reads this when it starts." in api.toasts)
        api.say("stop other")
        assert loops[1].wait().code == 130
        assert stage.run().code == 0
    finally:
        other.close()
    assert answered(stage) == [(1, "A) One", "telegram")]
    assert len(answered(other)) == 1 and api.conflicts <= 1  # conflict with the killed loop's poll


def test_a_new_session_in_the_folder_of_one_that_was_deleted(
    stage: Stage, api: TelegramApi
) -> None:
    """Messages go only to the new session, although the deleted one waited when it was killed."""
    stage.script("ask('Which?')")
    loop = stage.start()
    shown(api, Q1)
    loop.send(signal.SIGKILL).wait()
    shutil.rmtree(stage.session)
    git("worktree", "remove", "--force", *map(str, (stage.folder / "worktrees").iterdir()),
        cwd=stage.repo)  # fmt: skip
    git("branch", "-D", *git("branch", "--format=%(refname:short)", "--list", "samocode/*",
        cwd=stage.repo).split(), cwd=stage.repo)  # fmt: skip
    was = int(time.time())
    wait_for(lambda: int(time.time()) > was)  # a session is known by the second of its start
    stage.then("ask('Which?')")
    loop = stage.start()
    wait_for(lambda: len([text for text in api.texts if Q1 in text]) == 2)
    api.say("note use tabs")
    shown(api, "Noted for the next iteration: use tabs")
    api.say("stop work")
    assert loop.wait().code == 130, loop.out


def test_nobody_waits_where_the_page_was_answered_before_the_start(
    stage: Stage, api: TelegramApi
) -> None:
    """If the page was answered before the start, no question waits, and a text gets the help."""
    stage.script("ask('Which?')", "hold(); " + DONE)
    loop = stage.start()
    shown(api, Q1)
    loop.send(signal.SIGKILL).wait()
    speech.answer(stage.session, 1, "B")
    loop = stage.beside(stage.command())
    stage.up(2)
    api.say("hello")
    shown(api, "note TEXT: tell it")
    stage.go()
    assert loop.wait().code == 0, loop.out


def test_an_outage_only_delays_the_phone(stage: Stage, api: TelegramApi) -> None:
    """A question that is asked during an outage arrives once the network is back. If it is answered
    in the file during another one, its buttons are removed later."""
    stage.script("ask('Which?')", "hold(); " + DONE)
    api.fall()
    loop = stage.start()
    wait_for(lambda: api.dropped > 12)
    assert api.texts == [] and loop.running
    api.fall(down=False)
    shown(api, Q1)
    assert loop.out.count("not delivered yet") == 1 and loop.out.count("cannot be read") == 1
    api.fall()
    before = api.dropped
    speech.answer(stage.session, 1, "A")
    wait_for(lambda: api.dropped > before + 5)
    api.fall(down=False)
    shown(api, "Q1: A, One (by file)")
    assert not api.messages[0]["buttons"]
    stage.go()
    assert loop.wait().code == 0
    assert len([text for text in api.texts if Q1 in text]) == 1


def test_the_shared_folder_may_be_deleted(stage: Stage, api: TelegramApi) -> None:
    """If the shared folder is deleted while a loop runs, answers in the file still count."""
    stage.script("ask('Which?')", DONE)
    loop = stage.start()
    shown(api, Q1)
    cache = stage.folder / "home/.cache/samocode"
    cache.rename(cache.with_name("gone"))
    api.say("A")
    speech.answer(stage.session, 1, "B")
    assert loop.wait().code == 0, loop.out
    assert speech.answers(stage.session) == [(1, "B", "file")]


def test_a_question_answered_in_the_file_is_not_sent_late(stage: Stage, api: TelegramApi) -> None:
    """A question that was answered before it could be sent is not sent. Ctrl-C ends the wait for
    the last message at once."""
    stage.script("ask('Which?')", DONE)
    api.answers = [refusal(429, "Too Many Requests", retry_after=300)] * 2
    stage.extra["FAKE_LAST_MESSAGE"] = "600"
    loop = stage.start()
    wait_for(lambda: len(api.answers) == 1)
    speech.answer(stage.session, 1, "A")
    wait_for(lambda: not api.answers and "It works." in loop.out)
    assert loop.running
    loop.send(signal.SIGINT)
    assert loop.wait().code == 0 and "may not have arrived" in loop.out
    assert api.texts == []


def test_a_group_that_became_a_supergroup(stage: Stage) -> None:
    """The new id is used from the next try on, for messages and answers. It is shown in the
    terminal and in the chat."""
    stage.script("ask('Which?')", DONE)
    with TelegramApi(chat="-42") as api:
        stage.extra |= api.environ
        api.moved["-42"] = -10042
        loop = stage.start()
        shown(api, "set TELEGRAM_CHAT_ID=-10042")
        shown(api, Q1)
        api.press("Two", Q1)
        assert loop.wait().code == 0, loop.out
        assert {message["chat"] for message in api.messages} == {"-10042"}
    assert "set TELEGRAM_CHAT_ID=-10042 (it was -42)" in loop.out
    assert answered(stage) == [(1, "B) Two", "telegram")]


@pytest.mark.parametrize(
    ("polls", "says"),
    [
        ([CONFLICT] * 3, "give each machine a bot of its own"),
        ([refusal(401, "Unauthorized")] * 3, "check TELEGRAM_BOT_TOKEN"),
        ([refusal(403, "Forbidden")] * 3, "write to the bot once"),
        ([Answer(502, b"<html>")] * 3, "HTTP 502"),
        ([CONFLICT], ""),  # the poll of a reader that was killed
        ([result([])] * 500, ""),  # a proxy that does not hold the poll: no busy loop
    ],
)
def test_what_keeps_the_bot_from_reading(
    stage: Stage, api: TelegramApi, polls: list[Answer], says: str
) -> None:
    """Trouble with reading is reported once, with the remedy. The loop and the reading go on."""
    api.polls = polls.copy()
    stage.script("ask('Which?')", DONE)
    loop = stage.start()
    shown(api, Q1)
    wait_for(lambda: len(polls) - len(api.polls) >= 3 or not api.polls)
    assert len(api.polls) in (0, *range(480, 500))
    api.polls = []
    api.say("A")
    assert loop.wait().code == 0, loop.out
    assert loop.out.count("cannot be read") == bool(says) and says in loop.out
    assert ("I cannot read" in " ".join(api.texts)) == (polls[0] is CONFLICT and bool(says))


def notices(path: Path) -> list[dict[str, object]]:
    """What the command was given."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_notify_command_gets_each_notice(quick: Stage) -> None:
    """The command gets each notice as one line of JSON on stdin. The loop waits for it at its end,
    and shows that it failed."""
    seen = quick.folder / "seen"
    quick.extra["SAMOCODE_NOTIFY_COMMAND"] = f"cat >>'{seen}'; echo no bus >&2; exit 7"
    quick.script("ask('Which?')", "usage_limit(1)", DONE)
    loop: Loop = quick.start()
    wait_for(lambda: notices(seen))
    speech.answer(quick.session, 1, "A")
    assert loop.wait().code == 0
    assert [one["event"] for one in notices(seen)] == ["question", "pause", "stop"]
    assert "Which?" in str(notices(seen)[0]["text"]) and notices(seen)[2]["exit"] == 0
    assert "SAMOCODE_NOTIFY_COMMAND failed: exit code 7: no bus" in loop.out
