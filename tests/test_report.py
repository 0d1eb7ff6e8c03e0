"""The report of a session with arbitrary texts in its history and file names."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samocode.session import Session, open_session
from samocode.show.columns import printable
from samocode.show.page import LONG, POLICY, tag
from samocode.show.past import BARS
from samocode.show.report import page, write
from samocode.show.sizes import size
from tests.seen import HOSTILE, Seen


def session(folder: Path, *lines: dict[str, Any]) -> Session:
    """A session of research with this history."""
    first = {"event": "session", "t": "2026-01-08T10:00:00+01:00", "v": 2, "place": ""}
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in (first, *lines))
    (folder / "_history.jsonl").write_text(text)
    return open_session(folder, folder, None, repair=False)


def everywhere(words: str) -> list[dict[str, Any]]:
    """A line of every kind, with this text in each field that takes one."""
    question = {"id": 1, "kind": words, "title": words, "why": words, "suggested": words}
    question |= {"options": [words, words], "because": words, "plan": words, "copy": words}
    run = {"event": "iteration", "phase": words, "outcome": words, "note": words, "seconds": 3}
    run |= {"log": words, "cost_usd": 0.5, "denied": [words], "left_over": [words], "t": words}
    asked = [question, {**question, "id": 2}]
    return [
        {"event": "task", "t": words, "kind": words, "text": words},
        {"event": "start", "version": words},
        {**run, "n": 1, "why": words, "asked": asked},
        {"event": "answer", "t": words, "id": 1, "text": words, "took": [words], "by": words},
        {"event": "approved", "t": words, "plan": words, "digest": words, "copy": words},
        {"event": "limit", "t": words, "why": words, "until": words, "seconds": 5},
        {**run, "n": 2, "summary": words},
        {"event": "stop", "t": words, "exit": 3, "why": words},
    ]


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_every_text_of_the_history_is_text(tmp_path: Path, words: str) -> None:
    """It adds no element and no attribute, and nothing is lost."""
    made = page(session(tmp_path / "work", *everywhere(words)), running=False)
    seen = Seen(made)
    assert seen.text.count(printable(words).strip()) >= 20
    assert seen.links == [] and POLICY in made and printable(made) == made
    assert printable(words)[:40] in seen.labels[0]


def test_a_huge_text_is_cut_with_a_word(tmp_path: Path) -> None:
    made = page(session(tmp_path / "work", *everywhere("<b>" * LONG)), running=False)
    assert f"… ({2 * LONG} more characters)" in Seen(made).text and len(made) < 80 * LONG


def test_values_of_the_wrong_kind_do_no_harm(tmp_path: Path) -> None:
    """Numbers or lists in place of texts, and lines that are not objects."""
    odd: list[Any] = [None, 5, -1e300, True, [["<b>"]], {"<i>": "</i>"}]
    runs = [
        {"event": "iteration", "n": n, "phase": f"p{n}", "outcome": "crash", "why": value,
         "log": value, "t": value, "denied": value, "left_over": value, "model": value}
        for n, value in enumerate(odd)
    ]  # fmt: skip
    made = session(tmp_path / "work", *runs)
    with (tmp_path / "work/_history.jsonl").open("ab") as file:
        file.write(b'[1]\n"\xff\n{"event": 7}\n{"torn')
    assert "crashed" in Seen(page(made, running=True)).text


@given(st.text())
def test_text_comes_back(words: str) -> None:
    seen = Seen(tag("svg", words, aria_label=words))
    assert "".join(seen.words) == printable(words) and seen.labels == [printable(words)]


NAMES = (
    "javascript:alert(1).md", "<img src=x onerror=x()>.md", "a\"b' &amp;?#%2e.txt", "-rf .md",
    "\u202egnp.md", "new\nline.log", b"\xff\xfe.json".decode(errors="surrogateescape"), "漢.md",
)  # fmt: skip


def test_links_lead_to_text_files_of_the_folder_only(tmp_path: Path) -> None:
    """Whatever their names are. Not pages, folders, links, and names that only the history has."""
    folder = tmp_path / "work"
    (folder / "_logs").mkdir(parents=True)
    outside = ("../../secret.md", "/etc/passwd", "_logs/../../x.md", "http://127.0.0.1:9/x.md")
    run = {"event": "iteration", "n": 1, "phase": "testing", "outcome": "crash"}
    made = session(folder, *({**run, "log": name} for name in (*NAMES, *outside)))
    for name in NAMES:
        (folder / name).touch()
        (folder / "_logs" / name).touch()
    for name in ("page.html", "picture.svg", "page.xhtml", "noname"):
        (folder / name).write_text("<script>x()</script>")
    (folder / "folder.md").mkdir()
    (folder / "passwd.md").symlink_to("/etc/passwd")
    seen = Seen(page(made, running=False))
    in_logs = sum(name.endswith(".md") for name in NAMES)  # beside the folder and two lists
    assert seen.leads_into(folder) and len(seen.links) == 3 * len(NAMES) + in_logs
    assert "page.html" in seen.text


def test_a_size_that_is_not_whole_says_so(tmp_path: Path) -> None:
    """A folder with too many files is not counted to its end."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_bytes(b"x" * 2000)
    assert str(size(folder)) == "6 kB" and str(size(folder, 2)) == "over 4 kB"
    assert str(size(folder / "gone")) == "0 kB"
    assert str(size(folder / "a")) == "over 0 kB"  # not a folder: it cannot be read


def test_the_file_replaces_whatever_has_its_name(tmp_path: Path) -> None:
    """A folder is renamed, and a link is replaced, not followed. No temporary file is left."""
    made, folder = session(tmp_path / "work"), tmp_path / "work"
    (folder / "_report.html").mkdir()
    assert write(made, running=False).is_file()
    (folder / "_report.html").unlink()
    (folder / "_report.html").symlink_to(tmp_path / "other")
    path = write(made, running=False)
    assert path.stat().st_mode & 0o777 == 0o600 and not (tmp_path / "other").exists()
    names = {"_history.jsonl", "_logs", "_report.html", "_report.html.kept-1"}
    assert {found.name for found in folder.rglob("*")} == names


def test_ten_thousand_iterations_make_a_small_file(tmp_path: Path) -> None:
    """Under 400 KB, since iterations share bars."""
    runs = [
        {"event": "iteration", "n": n, "phase": ("testing", "implementation")[n // 7 % 2],
         "outcome": "crash" if n % 50 == 0 else "continue", "why": "<b>" * 200,
         "seconds": 1 + n % 90, "cost_usd": 0.1, "log": f"{n}.jsonl"}
        for n in range(1, 10_001)
    ]  # fmt: skip
    text = page(session(tmp_path / "work", *runs), running=False)
    seen = Seen(text)
    assert len(text) < 400_000 and seen.bars <= 4 * BARS + 20
    assert "10000 iterations" in seen.text and "The last 200 of 10000" in seen.text
