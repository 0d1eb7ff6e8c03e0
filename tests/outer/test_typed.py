"""Answers at a terminal, with real keys, windows and signals."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from samocode.terminal.editor import Editor
from tests.outer import speech
from tests.outer.screens import Open, needs_tmux
from tests.outer.speech import wait_for
from tests.outer.stage import TO_PLANNING, Stage

ASK = "work(); ask('Which login method do the clients of the API use?', 'Where?')"
PLAN = "plan('# Plan\\n' + ''.join(f'- [ ] step {n}\\n' for n in range(60)))"
STOP = "work(); signal('blocked', reason='enough')"
ASKED, SECOND = "Your answer to Q1 [Enter: A; ?: help]:", "Your answer to Q2 [Enter: A; ?: help]:"


@needs_tmux
@pytest.mark.parametrize("columns", [40, 80, 160])
def test_one_question_at_a_time(quick: Stage, at: Open, columns: int) -> None:
    """Title, why and options are above the prompt. A letter or Enter is enough."""
    quick.script(ASK, STOP)
    terminal = at(columns).wait_last(ASKED)
    above = "\n".join(terminal.screen[-6:])
    title = " ".join(re.split(r"\s+", above.partition("Why:")[0]))
    assert "of the API use?" in title
    assert "Why: a test\n- A) One\n- B) Two\nSuggested: A\n" in above
    assert "Where?" not in terminal.text
    terminal.keys("?", "Enter").wait("Enter alone takes").wait_last(ASKED)
    terminal.keys("b", "Enter").wait_last(SECOND).keys("Enter").wait("CODE=3")
    assert quick.answers == [("b", "terminal"), ("A) One", "terminal")]


@needs_tmux
def test_editing_in_a_window_that_changes(quick: Stage, at: Open) -> None:
    """Keys work as in a shell, a paste is one answer, and resizing and Ctrl-Z lose nothing."""
    quick.script(ASK, STOP)
    terminal = at(60).wait_last(ASKED)
    terminal.keys("use sessions", "C-a", "we ", "M-f", "M-f", "C-w", "tokens")
    terminal.wait_last("we use tokens")
    terminal.resize(39)
    wait_for(
        lambda: terminal.screen[-2:] == ["Your answer to Q1 [Enter: A; ?: help]:", " we use tokens"]
    )
    terminal.resize(100)
    terminal.wait_last(f"{ASKED} we use tokens").keys("C-z").wait("Stopped")
    terminal.keys("stty -a | grep -o ' icanon'", "Enter").wait("\n icanon")
    terminal.keys("fg", "Enter").wait_last(f"{ASKED} we use tokens")
    terminal.keys("C-e", ".\\", "Enter")
    terminal.paste("Two lines,\nof 日本\u3000too")
    terminal.wait_last("of 日本\u3000too").keys("Enter").wait_last(SECOND)
    terminal.keys("C-c").wait("To go on").keys("echo ENDED=$?", "Enter").wait("ENDED=130")
    terminal.keys("stty -a | grep -o ' echo '", "Enter").wait("\n echo")
    assert quick.answers == [("we use tokens.\nTwo lines,\nof 日本\u3000too", "terminal")]


@needs_tmux
def test_answered_elsewhere_while_somebody_types(quick: Stage, at: Open) -> None:
    """An answer in the file counts. The half-typed answer is dropped, with a message, and the Enter
    that ends it does not answer the next question."""
    quick.script(ASK, STOP)
    terminal = at().wait_last(ASKED).keys("not thi").wait_last("not thi")
    speech.answer(quick.session, 1, "from the file")
    terminal.wait("answer (file): from the file").wait("What you had typed for Q1 was dropped.")
    terminal.wait_last(SECOND).keys("Enter").wait("The question has changed.")
    terminal.wait_last(SECOND).keys("C-d").wait("Ctrl-D hid the prompt")
    terminal.keys("Enter").wait_last(SECOND).keys("B", "Enter").wait("CODE=3")
    assert quick.answers == [("from the file", "file"), ("B", "terminal")]


@needs_tmux
@pytest.mark.parametrize("after", ["", "| cat;"])
def test_a_long_answer_is_whole(quick: Stage, at: Open, after: str) -> None:
    """A pasted line of 10 KB and a hundred more lines are one answer, also with piped output."""
    quick.script(ASK, STOP)
    terminal, words = at(after=after).wait(ASKED), "word " * 2000 + "\n" + "line\n" * 100 + "end"
    terminal.wait_last(ASKED).paste(words)
    terminal.wait_last("end").keys("Enter").wait("Your answer to Q2").wait_last(SECOND)
    assert quick.answers == [(words, "terminal")]


@needs_tmux
def test_approval_needs_words(quick: Stage, at: Open) -> None:
    """`p` shows the plan, Enter the next page, q or an answer ends it. Neither Enter alone nor what
    was typed before the question approves the plan."""
    quick.script(TO_PLANNING, "hold(); " + PLAN, "plan(name='plan2.md')", STOP)
    prompt = "Your answer to Q1 [yes, or what to change; p: the plan; ?: help]:"
    terminal = at()
    quick.up(2)
    terminal.keys("yes", "Enter").wait("\nyes")
    quick.go()
    terminal.wait_last(prompt).keys("p", "Enter").wait_last("34 more lines of the plan")
    terminal.keys("Enter").wait_last("7 more lines").keys("q").wait_last(prompt)
    assert "step 52" in terminal.text and "step 53" not in terminal.text
    terminal.keys("Enter").wait("Enter alone is not an answer here: yes, or what").wait_last(prompt)
    terminal.keys("p", "Enter").wait_last("34 more lines of the plan")
    terminal.keys("yes, but smaller", "Enter").wait("taken as a change request")
    terminal.wait_last(prompt.replace("Q1", "Q2")).keys("Yes.", "Enter").wait("taken as a yes")
    terminal.wait("CODE=3")
    assert quick.answers == [("yes, but smaller", "terminal"), ("Yes.", "terminal")]


@needs_tmux
def test_enter_does_not_overrule_the_page(quick: Stage, at: Open) -> None:
    """If the page was saved just before Enter, the answer on the page counts, not the
    suggestion."""
    quick.extra["FAKE_SETTLE"] = "1"
    quick.script(ASK, STOP)
    terminal = at().wait_last(ASKED)
    speech.answer(quick.session, 1, "neither")
    terminal.keys("Enter").wait_last(SECOND)
    assert quick.answers == [("neither", "file")]


@needs_tmux
def test_a_job_in_the_background_does_not_read_its_terminal(quick: Stage, at: Open) -> None:
    """A loop in the background does not read the terminal, which would stop it (SIGTTIN). It still
    reads the page."""
    quick.script("ask('Which?')", STOP)
    terminal = at(after="&")
    wait_for(lambda: speech.blank(quick.session_soon(), 1))
    terminal.keys("B", "Enter").wait("command not found")
    assert quick.answers == []
    speech.answer(quick.session, 1, "from the editor")
    terminal.wait("enough")
    assert quick.answers == [("from the editor", "file")]


@needs_tmux
@pytest.mark.parametrize("name", ["TERM", "KILL"])
def test_the_terminal_is_given_back(quick: Stage, at: Open, name: str) -> None:
    """The loop restores the terminal at SIGTERM, the shell after SIGKILL. The next prompt works."""
    quick.script(ASK, STOP)
    terminal = at().wait_last(ASKED).keys("half").wait_last("half")
    lock = quick.session.parent / ".locks" / quick.session.name
    os.kill(json.loads(lock.read_text())["pid"], getattr(signal, f"SIG{name}"))
    terminal.wait("CODE=1").keys("stty -a | grep -o ' echo '", "Enter").wait("\n echo")
    again = " ".join(quick.command())
    terminal.keys(f"clear; {again}", "Enter").wait_last(ASKED)
    terminal.keys("B", "Enter").wait_last(SECOND)
    assert len(quick.answers) == 1


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (b"abc\x02\x02X\n", "aXbc"),
        (b"one two\x17three\n", "one three"),
        (b"one\x01\x0btwo \x19\n", "two one"),
        (b"\x1b[200~a\rb\x1b[3~\x1b[201~c\n", "a\nb\x1b[3~c"),
        (b"\x1b[200~a\r\nb\r\x1b[201~c\n", "a\nb\nc"),
        (b"ab\\\ncd\x1b[A\x1b[H\x1b[C_\n", "a_b\ncd"),
        ("é日\x7fx\n".encode(), "éx"),
        (b"a\x1b[1;5Db\x1b[15~\x00\x1f\n", "ba"),
    ],
)
def test_keys(keys: bytes, text: str) -> None:
    """Keys edit the text, even if their bytes arrive one at a time."""
    whole, cut = Editor(), Editor()
    whole.feed(keys)
    for byte in keys:
        cut.feed(bytes([byte]))
    for editor in (whole, cut):
        editor.finish()
        assert editor.text == text and editor.entered


def test_esc_alone_is_no_key() -> None:
    """The next letter is not taken for the rest of a longer key."""
    editor = Editor()
    editor.feed(b"\x1b")
    assert editor.escaped
    editor.escape()
    editor.feed(b"Ok")
    assert editor.text == "Ok" and not editor.escaped
