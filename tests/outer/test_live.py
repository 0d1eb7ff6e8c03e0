"""What a person sees of a run: on terminals of several widths, in a pipe, with --quiet."""

from __future__ import annotations

from io import StringIO

import pytest

from samocode.show.child import ChildLines
from samocode.show.columns import clip, layout, printable, width
from samocode.show.live import View
from tests.outer.screens import Open, needs_tmux
from tests.outer.speech import wait_for
from tests.outer.stage import Stage

TOOL = """
def tool(number, name, failed=None, **given):
    call = {"type": "tool_use", "id": number, "name": name, "input": given}
    emit(type="assistant", message={"content": [call]}, parent_tool_use_id=None)
    end = {"type": "tool_result", "tool_use_id": number, "content": failed or "fine"}
    end["is_error"] = failed is not None
    emit(type="user", message={"content": [end]}, parent_tool_use_id=None)

here = str(Path.cwd())
"""
STORY = (
    TOOL
    + """
text("I look at \\u65e5\\u672c\\u3000e\\u0301 \\x1b[31mred \\u202eturned\\nand more")
tool("1", "Read", file_path=here + "/a.py")
tool("2", "Bash", failed="2 tests failed\\nmore", command=f"cd {here} && npm test " + 100 * "x ")
hold(); work(); Path("new.txt").write_text("x"); signal(phase="requirements")
"""
)
STOP = "signal('blocked', reason='enough')"


@needs_tmux
@pytest.mark.parametrize("columns", [40, 80, 160])
def test_a_run_on_a_terminal(quick: Stage, at: Open, columns: int) -> None:
    """A run shows a header, a line for each action of the child, a moving line, and how the
    iteration ended."""
    quick.script(STORY, STOP)
    terminal = at(columns).wait("failed: 2").wait_last(" · 0:0")
    assert "left" in terminal.screen[-1] and "nothing spent" in terminal.screen[-1]
    shown = "\n".join(terminal.screen)
    assert (
        "  I look at 日本\u3000e\u0301 ?[31mred ?turned\n    Read a.py\n    Bash npm test x"
        in shown
    )
    assert "…\n      failed: 2 tests failed\n" in shown
    quick.go()
    terminal.wait("CODE=3")
    text = " ".join(terminal.text.split())
    assert "Phase investigation (1 of 7)" in text and "sandbox off" in text
    assert "goes on -> requirements (" in text and "0.25 USD, 1 file changed)" in text
    assert " · " not in text, "the line that moved is gone"


@needs_tmux
def test_a_terminal_that_becomes_narrower(quick: Stage, at: Open) -> None:
    """After a resize, the moving line is drawn for the new width, and the lines above stay."""
    quick.script(STORY, STOP)
    terminal = at(100).wait("failed: 2").wait_last("1 investigation · ")
    for columns in (40, 120, 50):
        terminal.resize(columns)
        terminal.wait_changed(terminal.screen[-1:])  # drawn for this width
    wait_for(lambda: sum(" · " in line for line in terminal.screen) == 1)
    assert "failed: 2 tests failed" in terminal.text
    quick.go()
    terminal.wait("CODE=3")


@needs_tmux
def test_a_wait_has_a_clock_too(quick: Stage, at: Open) -> None:
    """During SETUP and a usage limit, the last line has a clock. Ctrl-C leaves no copy of it."""
    go = f"until [ -e {quick.steps}/go ]; do sleep 0.1; done"
    quick.configure(SETUP=go)
    quick.script("usage_limit(3600)")
    terminal = at(80).wait_last(" · 0:0")
    assert terminal.screen[-1].startswith("SETUP: until")
    quick.go()
    terminal.wait("usage limit").wait_last(" · 0:0")
    terminal.keys("C-c").wait("CODE=130")
    assert " · " not in terminal.text and "Stopping. A" in terminal.text


@needs_tmux
def test_in_the_background_nothing_moves(quick: Stage, at: Open) -> None:
    """A loop in the background has no moving line, so it does not overwrite what is typed."""
    quick.script(STORY, STOP)
    terminal = at(80, after="&").wait("failed: 2 tests")
    terminal.keys("fg", "Enter").wait_last(" · ").keys("C-z").wait("Stopped")
    terminal.keys("bg", "Enter").keys("echo I ty", "pe", "Enter").wait("\nI type")
    quick.go()
    terminal.wait("To go on")
    assert terminal.text.count(" · 29:") == 1


@needs_tmux
@pytest.mark.parametrize("how", ["colour", "NO_COLOR", "dumb", "cat"])
def test_colours_and_movement_are_for_terminals(quick: Stage, at: Open, how: str) -> None:
    """NO_COLOR switches colours off. A dumb terminal or a pipe has neither colours nor a moving
    line."""
    quick.extra |= {"NO_COLOR": {"NO_COLOR": "1"}, "dumb": {"TERM": "dumb"}}.get(how, {})
    quick.script(STORY, STOP)
    terminal = at(80, after="| cat;" if how == "cat" else "").wait("failed: 2 tests")
    if how in ("colour", "NO_COLOR"):
        terminal.wait_last(" · ")
    assert ("\x1b[31m" in terminal.colours) is (how == "colour")
    quick.go()
    terminal.wait("CODE=")
    assert " · " not in terminal.text


def test_quiet_shows_ends_questions_and_the_stop(quick: Stage) -> None:
    """--quiet shows neither the header nor what the child does."""
    quick.go()
    quick.script(STORY, "work(); ask('Which?')", STOP)
    ended = quick.begin("--quiet", "--yes")
    lines = ended.out.splitlines()
    assert lines[0].startswith("worktree "), lines
    assert lines[1].startswith("-- Iteration 1 investigation: goes on -> requirements (")
    assert "Which?" in ended.out and "npm test" not in ended.out and "opus" not in ended.out
    assert "enough" in ended.out and "\x1b" not in ended.out


def test_a_flood_is_cut_to_what_a_person_can_read() -> None:
    """At most 50 lines are shown in a second. Then a line says how many were left out."""
    out, now = StringIO(), [100.0]
    view = View(out, clock=lambda: now[0])
    said = {"type": "assistant", "message": {"content": [{"type": "text", "text": "again"}]}}
    for _ in range(1000):
        view.event(said)
    now[0] += 1
    view.event(said)
    assert out.getvalue().splitlines()[50:] == ["    (950 more lines are in the log)", "  again"]


def test_a_tool_that_took_long_is_named_where_others_came_between() -> None:
    """The line that says how long a slow tool took names the tool if other lines were printed since
    its start. Paths are relative to the
    worktree."""
    now = [0.0]
    lines = ChildLines(("/w/tree", "/w/tree-2"), lambda: now[0])

    def block(kind: str, **more: object) -> list[str]:
        said = {"type": kind, **more}
        role = "user" if kind == "tool_result" else "assistant"
        return [line.text for line in lines.of({"type": role, "message": {"content": [said]}})]

    command = {"command": "ls /w/tree/a /w/tree-2 '/w/tree' /w/tree-3"}
    assert block("tool_use", id="1", name="Bash", input=command) == [
        "    Bash ls a . '.' /w/tree-3"
    ]
    assert block("text", text="So I wait.") == ["  So I wait."]
    now[0] = 90.0
    took = block("tool_result", tool_use_id="1", content="")
    assert took == ["      Bash ls a . '.' /w/tree-3: took 1m"]


@pytest.mark.parametrize(
    "text", ["日本" * 40, "e\u0301" * 90, "a\u200db\u3000\u00a0" * 30, "x" * 99]
)
@pytest.mark.parametrize("columns", [10, 40, 79])
def test_nothing_is_wider_than_it_may_be(text: str, columns: int) -> None:
    """No clipped or wrapped line exceeds the width. Joiners, marks and spaces are kept; control
    characters and overrides are replaced."""
    assert printable(text) == text and width(clip(text, columns)) <= columns
    rows = layout(text, 0, columns).rows
    assert "".join(rows) == text and all(width(row) <= columns for row in rows)
    assert printable("\x1b]0;\x9b\u202e\u2066\x07\r") == "?]0;?????"
