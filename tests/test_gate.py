"""The human's part: a real terminal, a real editor's saves, and the loop's real patience."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.harness import ROOT, Project, end, wait_for
from tests.killing import marked

ASK_TWO = """
ask("Which?")
ask("Where?", suggested="here, it is near")
signal("waiting", **{"for": "qa_answers"})
"""
ASK = "ask('Which?'); signal('waiting', **{'for': 'qa_answers'})"
DONE = "signal('done', summary='s')"


LOGIN = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A person's terminal with the loop in its foreground."""

    def __init__(self, command: list[str], project: Project) -> None:
        self._master, slave = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOGIN, *command],
            env=project.environ(),
            cwd=project.folder,
            stdin=slave,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 4096)
            except OSError:  # EIO: the last one at the other end is gone
                return
            self.seen += data.decode(errors="replace")

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until it stands on the screen so many times."""
        wait_for(lambda: self.seen.count(text) >= times)

    def close(self) -> int:
        """Wait for the end of the loop; its exit code."""
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            os.close(self._master)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Every terminal of a test, to be closed."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.close()


def open_terminal(project: Project, terminals: list[Terminal], *args: str) -> Terminal:
    """The loop at a terminal."""
    terminals.append(Terminal(project.command("--task", "t", *args), project))
    return terminals[-1]


def answers(project: Project) -> list[tuple[str, str]]:
    """(text, by) in the order of the record."""
    return [(line["text"], line["by"]) for line in project.history("answer")]


def prompted(project: Project) -> bool:
    """The loop waits at the gate."""
    return bool(project.history("asked"))


def test_a_line_per_question(project: Project, terminals: list[Terminal]) -> None:
    """Enter takes the suggestion where there is one; the words stand in the file too."""
    project.script(ASK_TWO, DONE)
    at = open_terminal(project, terminals)
    at.wait_for("answer to Q1 [Enter: A]")
    assert "answer to Q2" not in at.seen, "one at a time"
    at.type("  ?\n")
    at.wait_for("answer to Q1 [Enter: A]", 2)
    at.type("B, bécause\n")
    at.wait_for("answer to Q2 [Enter: here, it is near]")
    at.type("\n")
    assert at.close() == 0
    assert answers(project) == [("B, bécause", "terminal"), ("here, it is near", "terminal")]
    text = (project.session / "_qa.md").read_text()
    assert "Answer: B, bécause" in text and "Answer: here, it is near" in text


def test_approval_needs_words(project: Project, terminals: list[Terminal]) -> None:
    """Enter approves nothing, and neither does what was typed before the question was there."""
    project.script(
        "signal('continue', phase='planning')",
        "write('up'); time.sleep(1); plan()",
        "plan('plan2.md')",
        "write('built'); signal('blocked', reason='enough')",
    )
    at = open_terminal(project, terminals)
    wait_for(lambda: list((project.folder / "sessions").glob("*/up")))
    at.type("yes\nyes\n")
    at.wait_for("answer to Q1 [yes, or")
    time.sleep(0.5)
    at.type("\n")
    time.sleep(0.5)
    assert answers(project) == [] and at.process.poll() is None
    at.type("yes, but smaller\n")
    at.wait_for("answer to Q2 [yes, or")
    at.type("Yes.\n")
    assert at.close() == 3
    assert answers(project) == [("yes, but smaller", "terminal"), ("Yes.", "terminal")]
    assert "taken as a change request" in at.seen and "taken as a yes" in at.seen
    assert (project.session / "built").exists()


def test_the_file_is_watched_at_the_terminal(project: Project, terminals: list[Terminal]) -> None:
    project.script(ASK_TWO, DONE)
    at = open_terminal(project, terminals)
    at.wait_for("answer to Q1")
    at.type("half a li")
    project.answer(1, "from the editor")
    at.wait_for("answer to Q2")
    at.type("\x15typed\n")  # Ctrl-U: away with the half line
    assert at.close() == 0
    assert answers(project) == [("from the editor", "file"), ("typed", "terminal")]


def test_end_of_input_leaves_the_file(project: Project, terminals: list[Terminal]) -> None:
    project.script(ASK, DONE)
    at = open_terminal(project, terminals)
    at.wait_for("answer to Q1")
    at.type("\x04")
    time.sleep(0.3)
    project.answer(1, "from the editor")
    assert at.close() == 0 and answers(project) == [("from the editor", "file")]


def test_in_the_background_it_reads_nothing(project: Project, terminals: list[Terminal]) -> None:
    """`main.py &`: reading from the terminal would stop the whole loop (SIGTTIN)."""
    project.script(ASK, DONE)
    line = ' "$@" & wait'
    command = ["bash", "-mc", line, "bash", *project.command("--task", "t")]
    terminals.append(Terminal(command, project))
    wait_for(lambda: prompted(project))
    terminals[-1].type("B\n")
    time.sleep(0.5)
    assert answers(project) == []
    project.answer(1, "from the editor")
    assert terminals[-1].close() == 0 and answers(project) == [("from the editor", "file")]


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("hang up", 143)])
def test_a_stop_at_the_gate_is_at_once(
    project: Project, terminals: list[Terminal], key: str, code: int
) -> None:
    project.script(ASK)
    at = open_terminal(project, terminals)
    at.wait_for("answer to Q1")
    began = time.monotonic()
    if key == "\x03":
        at.type(key)
    else:
        at.process.send_signal(signal.SIGHUP)
    assert at.close() == code and time.monotonic() - began < 2
    assert "Traceback" not in at.seen and "To go on" in at.seen
    assert project.history("stop")[-1]["exit"] == code


def test_ctrl_c_without_a_terminal(project: Project) -> None:
    project.script(ASK)
    loop = project.start(task="t")
    wait_for(lambda: prompted(project))
    time.sleep(0.3)
    began = time.monotonic()
    printed = end(loop, signal.SIGINT)
    assert loop.returncode == 130 and time.monotonic() - began < 2, printed


def test_nothing_runs_while_it_waits(project: Project) -> None:
    """No child, no token, no write into the folder; half a save is no answer."""
    project.extra = {"FAKE_SETTLE": "0.6"}
    project.script(ASK, DONE)
    loop = project.start(task="t")
    wait_for(lambda: prompted(project))
    time.sleep(1)
    before = {path.name: path.stat().st_mtime_ns for path in project.session.iterdir()}
    time.sleep(0.7)
    assert {path.name: path.stat().st_mtime_ns for path in project.session.iterdir()} == before
    assert not (project.steps / "argv-2.json").exists()
    assert list(marked(project.folder)) == []
    path = project.session / "_qa.md"
    whole = path.read_text()
    for words in ("B", "B, but", "B, but only in the", "B, but only in the tests"):
        path.write_text(whole.replace("Answer:", f"Answer: {words}"))
        time.sleep(0.25)
    loop.communicate(timeout=30)
    assert answers(project) == [("B, but only in the tests", "file")]


def test_an_editor_that_empties_the_file_first(project: Project) -> None:
    """Truncate, pause, write: in between the file says nothing, and nothing is put back over it."""
    project.extra = {"FAKE_SETTLE": "0.6"}
    project.script(ASK, DONE)
    loop = project.start(task="t")
    wait_for(lambda: prompted(project))
    time.sleep(0.8)
    path = project.session / "_qa.md"
    whole = path.read_text()
    path.write_text("")
    time.sleep(0.3)
    path.write_text(whole.replace("Answer:\n", "Answer: B\n") + "\nA remark of mine.\n")
    loop.communicate(timeout=30)
    assert answers(project) == [("B\n\nA remark of mine.", "file")]


def test_the_gate_opens_within_two_seconds(project: Project) -> None:
    """With the clock that people get: main.py itself, no faster timeouts."""
    project.script(ASK, DONE)
    command = project.command("--task", "t")
    command[1] = str(ROOT / "main.py")
    loop = subprocess.Popen(
        command,
        env=project.environ(),
        cwd=project.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    wait_for(lambda: prompted(project))
    time.sleep(1.5)
    project.answer(1, "B")
    answered = time.time()
    assert (loop.communicate(timeout=30), loop.returncode)[1] == 0
    assert (project.session / "_iteration.json").stat().st_mtime - answered < 2
    assert answers(project) == [("B", "file")]
