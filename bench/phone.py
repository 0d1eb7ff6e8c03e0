#!/usr/bin/env python3
"""Draw a whole session's exchange as the phone shows it: python bench/phone.py [FILE.html]

A real session runs through main.py with the tests' stand-ins for claude and the Bot API. The
stand-in's record of both sides becomes a plain HTML page. `--json FILE` keeps the record itself.
"""

from __future__ import annotations

import argparse
import html
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.outer.speech import wait_for
from tests.outer.stage import TO_DONE, TO_PLANNING, Stage
from tests.telegram_api import TelegramApi

ASK = """
speech.send(SESSION, "waiting", **{"for": "qa_answers", "questions": [
    {"title": "Which login method?", "why": "It decides where tokens live.",
     "options": ["JWT", "Server sessions"], "suggested": "A", "because": "it fits both clients"},
    {"title": "How long is a login valid?", "why": "It decides how often users type a password.",
     "suggested": "30 days", "because": "the old login has that"}]})
"""
PLAN = "# Plan: JWT login\n\n## Phase 1\n- [ ] tokens, `npm test`\n\n## Phase 2\n- [ ] refresh\n"
SMALLER = PLAN + "\n## Phase 3\n- [ ] logout\n"
BUILD = "up()\nwhile not (STEPS / 'go').exists(): time.sleep(0.05)\ncommit('a.py', 'two\\n'); "
STYLE = """
body { background: #8a9a8f; font: 15px/1.4 system-ui, sans-serif; margin: 0 }
main { width: 390px; margin: 0 auto; padding: 12px; background: #d5e2d0; min-height: 100vh }
.m { max-width: 300px; padding: 7px 11px; margin: 6px 0; border-radius: 12px; background: #fff;
     white-space: pre-wrap; overflow-wrap: anywhere; width: fit-content }
.person { margin-left: auto; background: #e1ffc7 }
.above { border-left: 3px solid #4a90d9; padding-left: 7px; color: #567; font-size: 13px }
.file { background: #eef4fa; padding: 6px; border-radius: 8px; font-size: 13px }
.b { max-width: 300px; padding: 7px; margin: 3px 0; border-radius: 8px; text-align: center;
     background: #5b8f77; color: #fff; font-size: 14px }
.gone { opacity: .45; text-decoration: line-through }
.t { color: #789; font-size: 11px; text-align: right }
"""


def exchange(folder: Path) -> list[dict[str, Any]]:
    """Play a session, with a person at the phone. Return the record of both sides."""
    stage = Stage(folder / "project", name="jwt-login", fast=True).with_git()
    plan = f"plan({PLAN!r}, 'plan-login.md')"
    smaller = f"plan({SMALLER!r}, 'plan-login.md')"
    done = "signal('done', summary='Users log in with JWT. 14 tests pass.')"
    stage.script(ASK, TO_PLANNING, plan, smaller, BUILD + TO_DONE, done)

    def shown(words: str) -> None:
        wait_for(lambda: api.find(words))

    with TelegramApi() as api:
        stage.extra |= api.environ
        try:
            loop = stage.start()
            shown("Which login method?\n")
            api.press("Server", "Which login method?")
            shown("How long")
            api.say("90 days on phones, else 30", to="How long")
            shown("Q3: Approve")
            api.press("Change", "Q3: Approve")
            shown("what should change?")
            api.say("Add a phase for logout", to="what should change?")
            shown("Q4: Approve")
            api.press("Approve", "Q4: Approve")
            stage.up(5)
            api.say("status")
            shown("implementation (4 of 7)")
            api.say("note The key is in the vault, never in the code.")
            shown("Noted")
            api.say("thanks")
            shown("note TEXT")
            (stage.steps / "go").touch()
            ended = loop.wait()
            assert ended.code == 0, ended.out
        finally:
            stage.close()
    return api.record


def page(record: list[dict[str, Any]]) -> str:
    """The exchange as HTML."""
    texts = {message["id"]: str(message["text"]) for message in record}
    return (
        "<!doctype html>\n<meta charset='utf-8'>\n<meta name='viewport' "
        f"content='width=device-width'>\n<title>Samocode on the phone</title>\n<style>{STYLE}"
        f"</style>\n<main>\n{''.join(drawn(one, texts) for one in record)}</main>\n"
    )


def drawn(message: dict[str, Any], texts: dict[int, str]) -> str:
    """One message, with the buttons that it had."""
    safe = html.escape
    clock = time.strftime("%H:%M", time.localtime(message["at"]))
    if message.get("pressed"):
        return f"<div class='m person'>☝ {safe(message['text'])}</div>\n"
    above = texts.get(message.get("reply_to") or 0, "").partition("\n")[0]
    parts = [f"<div class='above'>{safe(above)}</div>"] if above else []
    if message.get("file"):
        name, text = message["file"]
        parts.append(f"<div class='file'>📄 {safe(name)}, {len(text.encode())} bytes</div>")
    parts.append(f"{safe(message['text'])}<div class='t'>{clock}</div>")
    buttons, gone = message.get("buttons"), ""
    if not buttons and message.get("had"):
        buttons, gone = message["had"], " gone"
    rows = "".join(f"<div class='b{gone}'>{safe(label)}</div>\n" for label, _ in buttons or ())
    return f"<div class='m {message['by']}'>{''.join(parts)}</div>\n{rows}"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", default="phone.html", type=Path)
    parser.add_argument("--json", type=Path, help="keep the record, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        record = exchange(Path(folder))
    given.file.write_text(page(record))
    if given.json:
        given.json.write_text(json.dumps(record, indent=1, ensure_ascii=False))
    print(f"{given.file}: {len(record)} messages")


if __name__ == "__main__":
    main()
