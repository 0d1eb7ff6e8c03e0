"""The reports of real sessions, in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.outer import speech
from tests.outer.stage import DONE, MAIN, TO_DONE, TO_PLANNING, Stage
from tests.seen import HOSTILE, Seen

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no chromium here; .ci/run installs it")
SWITCHES = ("--headless", "--no-sandbox", "--hide-scrollbars", "--enable-logging=stderr", "--v=0")
DARK = ("--blink-settings=preferredColorScheme=0",)
ALL = "\n".join((*(w for w in HOSTILE if "\udcff" not in w), "W" * 3000)).replace("\0", "")
TITLE = "<script>document.title='RAN'</script>\u202e"
SAYS = f"ALL, TITLE = {ALL!r}, {TITLE!r}\n"
FILES = """
for name in (b"javascript:x().md", b"<img src=x onerror=x()>.md", b"\\xff\\xfe.txt"):
    open(os.fsencode(SESSION) + b"/" + name, "wb").write(b"\\xff<script>\\x00" * 9)
write("evil.html", "<script>document.title='RAN'</script>")
"""
ASKS = """
speech.send(SESSION, "waiting", **{"for": "qa_answers", "questions": [{"title": TITLE, "why": ALL,
    "options": [ALL, TITLE], "suggested": "A", "because": ALL}]})
"""
COMMITS = """
open("<b onclick=x()>.py", "w").write("two")
git("add", "."), git("commit", "-qm", TITLE), leave()
"""


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file of a session except its report."""
    found = (p for p in folder.rglob("*") if p.is_file() and p.name != "_report.html")
    return {path: path.read_bytes() for path in found}


def hostile(stage: Stage) -> Path:
    """The report of a session in which all texts have markup."""
    plan = f'plan({ALL!r}, "\'\\"><b onclick=x().md")'
    steps = (FILES + ASKS, "RESULT['total_cost_usd'] = 1; raw(b'<b>\\xff')", TO_PLANNING, plan)
    stage.script(
        *(SAYS + step for step in (*steps, COMMITS + TO_DONE, "signal('done', summary=ALL)"))
    )
    ended = stage.run("--task", ALL, "--yes", fast=True)
    path = stage.session / "_report.html"
    assert ended.code == 0 and f"Report: {path}" in ended.out, ended.out
    return path


def test_a_session_of_markup_is_shown_as_text(stage: Stage, tmp_path: Path) -> None:
    """Markup in tasks, questions, answers, plan, commits, file names, summary and failures is shown
    as text. A browser (if there is one) runs nothing and shows no message on the console. The page
    needs no horizontal scrolling on a phone, has a light and a dark mode, and can be printed."""
    path = hostile(stage)
    seen = Seen(path.read_text())
    assert all(line in seen.text for line in ALL.splitlines() if line.isprintable())
    assert seen.leads_into(stage.session) and seen.text.count("<b onclick=x()") >= 3
    assert not any("evil" in link for link in seen.links) and "evil.html" in seen.text
    for words in ("invalid signal", "by --yes", "the loop ended them", "was approved 20"):
        assert words in seen.text, words
    assert "2.25 USD spent" in seen.text
    if CHROMIUM:
        in_a_browser(path, stage.session.name, tmp_path)


def test_a_report_is_no_progress_and_changes_nothing(stage: Stage) -> None:
    """A report during an iteration changes no other file and does not count as progress. Without
    --session, it reports on the only session that is not done."""
    stage.script("hold(); signal()", "write('_report.html', '<script>'); signal()", DONE)
    loop = stage.start()
    stage.up(1)
    before = contents(stage.session)
    ended = stage.nameless("--report")
    path = stage.session / "_report.html"
    assert (ended.code, ended.out) == (0, f"{path}\n")
    assert contents(stage.session) == before
    assert "running" in Seen(path.read_text()).words
    stage.go()
    assert loop.wait().code == 0 and "done" in Seen(path.read_text()).words
    assert [line["progress"] for line in speech.iterations(stage.session)] == [False, False, False]


def test_a_report_that_cannot_be_made_changes_no_exit_code(stage: Stage, tmp_path: Path) -> None:
    """If the report fails, even by a bug, one line says why. SAMOCODE_REPORT=off switches it
    off."""
    house = tmp_path / "house"
    shutil.copytree(MAIN.parent / "samocode", house / "samocode")
    shutil.copy(MAIN, house)
    shutil.copy(MAIN.parent / "workflow.md", house)
    with (house / "samocode/show/report.py").open("a") as file:
        file.write("\n\ndef page(*_):\n    raise RuntimeError('no\\nink')\n")
    stage.main = house / "main.py"
    stage.script(default=DONE)
    assert stage.begin().out.count("   No report was written: no ink\n") == 1
    assert stage.run("--task", "again").code == 0 and not (stage.session / "_report.html").exists()
    stage.main, stage.extra["SAMOCODE_REPORT"] = MAIN, "off"
    ended = stage.run("--task", "once more")
    assert ended.code == 0 and "eport:" not in ended.out and "No report" not in ended.out


def browser(page: Path, *switches: str) -> tuple[str, list[str]]:
    """The page after chromium loaded it, and the messages on its console."""
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [CHROMIUM or "", *SWITCHES, profile, *switches, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE:" in line]


def measured(report: str, folder: Path, width: int, *switches: str) -> dict[str, object]:
    """Run a script in a copy of the report without its policy. Return the sizes and the colour that
    it finds, and the width of a screenshot. Chromium's page is at first at least 500 pixels wide,
    and is resized for the screenshot."""
    script = """<script>addEventListener('resize', look); look(); function look() {
        const paper = getComputedStyle(document.body).backgroundColor
        console.log('<' + JSON.stringify({wide: document.documentElement.scrollWidth,
        seen: innerWidth, paper}) + '>') }</script>"""
    copy, picture = folder / "measured.html", folder / "shown.png"
    copy.write_text(re.sub(r"<meta http-equiv.*?>", "", report) + script)
    _, console = browser(copy, f"--window-size={width},900", *switches, f"--screenshot={picture}")
    found = dict(json.loads(console[-1].split("<")[1].split(">")[0]))
    return {**found, "picture": int.from_bytes(picture.read_bytes()[16:20], "big")}


def in_a_browser(path: Path, name: str, tmp_path: Path) -> None:
    """Assert what a browser makes of a report."""
    report = path.read_text()
    shown, console = browser(path, "--dump-dom")
    assert console == [] and f"<title>{name}: Samocode report<" in shown
    assert Seen(shown.removeprefix("<!DOCTYPE html>")).text.count("RAN") == report.count("RAN")
    papers: dict[tuple[str, ...], str] = {(): "rgb(255, 255, 255)", DARK: "rgb(20, 24, 27)"}
    for width in (390, 1280):
        for switches, paper in papers.items():
            found = measured(report, tmp_path, width, *switches)
            assert found == {"wide": width, "seen": width, "picture": width, "paper": paper}
    browser(path, f"--print-to-pdf={tmp_path / 'paper.pdf'}")
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")


@needs_chromium
def test_the_policy_stops_what_gets_past_the_escapes(stage: Stage, tmp_path: Path) -> None:
    """Scripts and handlers that are put into the page do not run. Without the policy they do."""
    stage.script(DONE)
    stage.begin()
    report = (stage.session / "_report.html").read_text()
    copy, wait = tmp_path / "copy.html", "--virtual-time-budget=2000"
    evil = "<img src='data:,' onerror=\"document.title='RAN'\"><iframe src='data:text/html,x'>"
    for bad in ("<script>document.title='RAN'</script>", evil):
        copy.write_text(report + bad)
        shown, console = browser(copy, "--dump-dom", wait)
        assert "<title>RAN" not in shown and "Content Security Policy" in "".join(console)
        copy.write_text(re.sub(r"<meta http-equiv.*?>", "", report) + bad)
        assert "<title>RAN" in browser(copy, "--dump-dom", wait)[0]
