"""Make tests/pages_corpus: pages of `_qa.md` after each formatter.

Needs npm and PyPI. Run it when the printed form changes: python -m bench.corpus
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from samocode.pages.questions import Page, page
from samocode.record.state import Answer, Question, SessionState

FOLDER = Path(__file__).parents[1] / "tests" / "pages_corpus"
NPM = ("prettier@3.10.1", "markdownlint-cli2@0.22.1")
PYPI = ("mdformat==1.0.0", "mdformat-gfm==1.0.0")
FORMATTERS = {
    "prettier": ("bin/prettier", "--write"),
    "prettier-always": ("bin/prettier", "--write", "--prose-wrap", "always"),
    "prettier-never": ("bin/prettier", "--write", "--prose-wrap", "never"),
    "markdownlint": ("bin/markdownlint-cli2", "--fix"),
    "mdformat": ("venv/bin/mdformat",),
    "mdformat-wrap-number": ("venv/bin/mdformat", "--wrap", "60", "--number"),
}
LONG = "Every request of the two clients carries it, so it has to be short and cheap to check; "
ANSWERS = (
    "A",
    "A) JWT",
    "neither: use snake_case_names and __init__.py, 2 * 3 * 4, a_b_c and *this* or __that__",
    "Ja, natürlich — 好的 谢谢 👍🏽 שלום עולם and مرحبا; e\u0301 हिन्दी",
    "* one\n* two\n    * deeper\n\n+ three\n1) first\n2) second\n\n1. a\n1. b\n1. c\n\n3. d\n3. e",
    "first line  \nhard break\\\nnext\n\n- [ ] open\n- [x] closed\n\n***\n\n- a\n\n\n\n- b",
    "run this:\n```python\ndef f(a_b):  # Answer: none\n    return '## Q1: x' * 2\n```\n"
    "~~~\nplain  text\n~~~\n\n    indented code",
    "| a | b_c |\n|--|:-:|\n| 1 | `x|y` |\n| longer cell | ~~no~~ |",
    "see [the docs](https://example.org/a_b?c=d&e=f#g), <https://example.org>, "
    "https://example.org/x_y and mail a@example.org",
    "<div class=\"a_b\">\n<b>html</b>\n</div>\n\n5 < 6 && 7 > 3",
    "Title\n=====\n\n# Another\n## Q2: Which one?\nAnswer: not here\n\n> quoted\n> Answer: no\n"
    "> - A) JWT",
    LONG * 4,
    "1986. A great year\n\\* no list\n#hash\n-5 degrees\n+1",
    "see [d], &copy; &lt;b&gt; &#65;\n10. ten\n11. eleven\n\n[d]: https://example.org/d 'Title'",
    "we said **bold:**no space, _em_, ***both***, `code  with  spaces` and \\_escaped\\_",
)  # fmt: skip


def states() -> dict[str, SessionState]:
    """Open questions, answered ones, and ones with texts above `Answer:`."""
    found = {"open": SessionState(lines=12), "answered": SessionState(lines=13)}
    found["quoted"] = SessionState(lines=14)
    for state in found.values():
        for number, answer in enumerate(ANSWERS, 1):
            state.asked[number] = Question(
                number, "qa", f"Which of them is it_{number}_that *we* want?",
                f"{LONG * (number < 3)}Number {number} (see a_b, `c_d`, 3. and #5): -> we need it.",
                ("JWT", f"Server sessions: {LONG * (number < 3)}", "use __init__.py <= 3 & *all*"),
                "A", "it fits **both**, and 2 * 3",
            )  # fmt: skip
            if state is found["answered"]:
                state.answers[number] = Answer(answer)
            elif state is found["quoted"]:
                state.found[number] = answer if number % 2 else ""
                if not number % 2:
                    state.answers[number] = Answer(answer)
    return found


def printed() -> dict[str, Page]:
    """The pages of these states."""
    pages = {name: page(state) for name, state in states().items()}
    return {name: one for name, one in pages.items() if one}


def main() -> None:
    """Install the formatters in a temporary folder, and store what each makes of each page."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        subprocess.run(["npm", "install", "--prefix", top, *NPM], check=True)
        (top / "bin").symlink_to("node_modules/.bin")
        subprocess.run([sys.executable, "-m", "venv", top / "venv"], check=True)
        subprocess.run([top / "venv/bin/pip", "install", *PYPI], check=True)
        for name, one in printed().items():
            for formatter, (program, *options) in FORMATTERS.items():
                path = top / f"{name}.{formatter}.md"
                path.write_text(one.text)
                subprocess.run([top / program, *options, path.name], cwd=top, check=False)
                (FOLDER / path.name).write_text(path.read_text())


if __name__ == "__main__":
    main()
