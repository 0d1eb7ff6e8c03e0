"""A child that does what it should not: the session continues or says why it stopped. Nothing that
the human wrote is lost, and nothing that the child wrote counts as the human's."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import git
from tests.outer.stage import DONE, EXIT, STUB, WORK, Ended, Stage

TASK = "the human's task"
MINE = "mine,\nall <!-- really --> of it"


def calm(ended: Ended) -> str:
    """The loop's output. Assert that it has no traceback and no control characters."""
    text = ended.out
    assert "Traceback" not in text and "a bug in samocode" not in text, text
    assert not [c for c in text if not c.isprintable() and c not in "\n\t"]
    return text


def answered(stage: Stage, text: str, *steps: str) -> None:
    """Stop at the first question, and give it this answer."""
    stage.script("ask()", *steps, default=DONE)
    assert stage.run(*EXIT, task=TASK).code == 4
    stage.answer(1, text)


NAMES = (
    f"MINE = {MINE!r}"
    + """
QA_FILE, NOTES = SESSION / "_qa.md", SESSION / "_overview.md"
NOW, LOCK = SESSION / "_iteration.json", SESSION.parent / ".locks" / SESSION.name
QA = QA_FILE.read_text(errors="replace")
assert "Which?" in QA and MINE in QA.replace("\\n> ", "\\n"), QA[:500]
"""
)
ACTS = {
    "fills the questions": "QA_FILE.open('a').write('x' * 2_000_000)",
    "copies a question": "QA_FILE.open('a').write(QA * 20)",
    "questions become a fifo": "QA_FILE.unlink(); os.mkfifo(QA_FILE)",
    "questions become a folder": "QA_FILE.unlink(); QA_FILE.mkdir()",
    "questions become a link": "QA_FILE.unlink(); QA_FILE.symlink_to('/etc/passwd')",
    "questions lose their line end": "QA_FILE.write_text('# Questions')",
    "questions are no text": "QA_FILE.write_bytes(bytes(range(256)) * 9)",
    "the page loses its first line": "QA_FILE.write_text(QA.partition('-->')[2])",
    "the page names another state": "QA_FILE.write_text(QA.replace('page (', 'page (9'))",
    "rewrites the task": "(SESSION / '_task.md').write_text('something easier')",
    "task becomes a link": """
(SESSION / "_task.md").unlink()
(SESSION / "_task.md").symlink_to("/etc/passwd")""",
    "pages are gone": "(SESSION / '_task.md').unlink(); NOW.unlink(); QA_FILE.unlink()",
    "pages become fifos": """
for path in (SESSION / "_task.md", NOW):
    path.unlink()
    os.mkfifo(path)""",
    "notebook is gone": "NOTES.unlink()",
    "notebook becomes a folder": "NOTES.unlink(); NOTES.mkdir()",
    "notebook becomes a link": "NOTES.rename(SESSION / 'o.md'); NOTES.symlink_to('o.md')",
    "forges the lock": "LOCK.write_text('{\"pid\": 1}')",
    "forges the iteration": "NOW.write_text('{\"iteration\": 99}')",
    "iteration becomes a folder": "NOW.unlink(); NOW.mkdir()",
    "takes the loop's temporary names": """
for name in ("_qa.md", "_iteration.json", "_overview.md", "_task.md"):
    (SESSION / (name + ".loop.tmp")).mkdir()
    (SESSION / (name + ".swap")).mkdir()""",
    "links to a name that is too long": """
for name in ("_task.md", "_qa.md", "_qa.md.swap", "_inbox", "_iteration.json"):
    path = SESSION / name
    path.rename(str(path) + ".old") if path.is_dir() else path.unlink(missing_ok=True)
    path.symlink_to("a" * 300)""",
    "prints one line of 50 MB": "print('x' * 50_000_000)",
    "prints rubbish": """
sys.stdout.buffer.write(bytes(range(256)) * 99 + b"\\n")
print('{"type":' * 9999)
print('{"type": "result", "total_cost_usd": 1' + "0" * 400 + "}")""",
    "prints what drives a terminal": r"text('\x1b[2J\x1b]0;title\x07 \x9b31m \u202e evil \r over')",
    "makes folders without end": """
os.chdir(SESSION)
for _ in range(300):
    os.mkdir(20 * "d")
    os.chdir(20 * "d")""",
    "odd names": r"write('a\nb\x1b[2J.md'); open(bytes(SESSION) + b'/\xff\xfe', 'w')",
    "removes the logs": "import shutil; shutil.rmtree(SESSION / '_logs')",
    "logs become a file": "import shutil; shutil.rmtree(SESSION / '_logs'); write('_logs')",
    "unreadable folder": "(SESSION / 'locked').mkdir(mode=0)",
}


def test_what_does_not_stop_the_session(stage: Stage) -> None:
    """After each act, the human's answer is on the page verbatim. What the child made of a page is
    kept under another name."""
    acts = [f"{NAMES}{act}\n{WORK}" for act in ACTS.values()]
    answered(stage, MINE, *acts, NAMES + r"signal('done', summary='\x1b[2Jdone \x07')")
    ended = stage.run(*EXIT)
    text = calm(ended)
    lines = zip(["asks", *ACTS, "done"], stage.history("iteration"), strict=False)
    good = ("waiting", "continue", "done")
    assert [(name, line) for name, line in lines if line["outcome"] not in good] == []
    assert ended.code == 0, text[-3000:]
    assert stage.answers == [(MINE, "file")] and TASK in (stage.session / "_task.md").read_text()
    aside = {path.name for path in stage.session.glob("*.kept-*")}
    assert aside >= {"_qa.md.kept-1", "_overview.md.kept-1", "_task.md.kept-1", "_task.md.kept-2"}
    assert "_task.md was changed" in text and "_iteration.json was changed" in text
    again = stage.run()
    assert again.code == 0 and "is done" in calm(again)


# Answers and approvals.

PAGE = "PAGE = SESSION / '_qa.md'\n"
FORGERIES = {
    "after the label": "forge(1, 'forged')",
    "by a mark": "PAGE.write_text(PAGE.read_text().replace('- B)', '- [x] B)'))",
    "above the label": """
PAGE.write_text(PAGE.read_text().replace('Answer:', 'forged\\n\\nAnswer:'))""",
    "with its old size and time": """
old = PAGE.stat()
PAGE.write_text(PAGE.read_text().replace('mine', 'fake'))
os.utime(PAGE, ns=(old.st_atime_ns, old.st_mtime_ns))""",
    "as a comment and more": "forge(1, 'mine <!-- or --> forged')",
    "with the first line of an older page": """
PAGE.write_text(PAGE.read_text().replace('mine', 'forged').replace('page (', 'page (5) ('))""",
    "on a page of its own": """
PAGE.unlink()
PAGE.write_text('## Q1: Which?\\n\\nAnswer: forged\\n')""",
    "with the first line of a page to come": """
later = len((SESSION / '_history.jsonl').read_text().splitlines()) + 1
page = '\\n\\n'.join((
    f'<!-- Samocode printed this page ({later}). -->',
    '## Q1: Which?', 'Answer: forged', '## Q2: More?', 'Answer: forged',
))
PAGE.write_text(page)
ask('More?')""",
    "in a swap that a kill cut off": """
PAGE.with_name('_qa.md.swap').write_text(PAGE.read_text().replace('mine', 'forged'))
PAGE.unlink()""",
    "while it asks": "forge(1, 'forged'); ask('More?')",
    "what it asks": """
PAGE.open('a').write('\\n## Q2: More?\\n\\nAnswer: forged\\n')
ask('More?')""",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_answer_is_not_taken(stage: Stage, name: str) -> None:
    """The page shows it as not taken yet, and the question is open. `before` is the human's earlier
    answer."""
    forge = f"{PAGE}{FORGERIES[name]}\nsignal('waiting', **{{'for': 'qa_answers'}}) if ASKED else "
    answered(stage, "mine", forge + "signal('continue')")
    ended = stage.run(*EXIT)
    assert ended.code == 4, calm(ended)
    assert stage.answers == [("mine", "file")] and len(stage.outcomes) == 2, "no other child"
    path = stage.session / "_qa.md"
    first, label, rest = path.read_text().partition("\nAnswer:\n")
    assert "\n> mine\n\nNot taken yet:\n\n> " in first
    rest = rest.replace(label, "\nAnswer: mine, too\n")
    path.write_text(f"{first}\nAnswer: before\n{rest}")
    assert stage.run(*EXIT).code == 0
    more = "ask(" in FORGERIES[name]
    assert stage.answers == [("mine", "file")] * 2 + [("mine, too", "file")] * more


@pytest.mark.parametrize("first", ["", "<!-- Samocode printed this page (3). -->"])
@pytest.mark.parametrize(
    ("end", "title"), [("plan()", "Approve the plan plan.md?"), ("ask()", "Which?")]
)
def test_a_page_from_before_the_question(stage: Stage, first: str, end: str, title: str) -> None:
    """It answers and approves nothing."""
    page = f"{first}\n\n## Q1: {title}\n\nAnswer: yes\n"
    write = f"(SESSION / '_qa.md').write_text({page!r})"
    stage.script(f"{write}; signal('continue', phase='planning')", f"{write}; {end}")
    ended = stage.run(*EXIT, task=TASK)
    assert ended.code == 4, calm(ended)
    assert stage.history("answer") == stage.history("approved") == []
    assert (stage.session / "_qa.md").read_text().endswith("\nAnswer:\n")
    assert (stage.session / "_qa.md.kept-1").read_text() == page


# What stops the session.

REWRITE = """
path = SESSION / "_history.jsonl"
old = path.stat()
path.write_text(path.read_text().replace("the human", "a machin"))
os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))"""
RENAME = "Path('a.py').rename('b\\x1b[2J.py'); git('add', '.')"


@pytest.mark.parametrize(("step", "said"), [(REWRITE, "_history.jsonl"), (RENAME, "Code changed")])
def test_what_stops_the_session(stage: Stage, step: str, said: str) -> None:
    """The message says why. The same command continues, with a change that a person committed."""
    stage.script(f"{step}\n{WORK}", default=DONE)
    ended = stage.run(*EXIT, task=TASK)
    assert ended.code == 3 and said in calm(ended)
    assert stage.history("session") and TASK in (stage.session / "_task.md").read_text()
    if step == RENAME:
        git("commit", "-qam", "accepted", cwd=stage.worktree)
    again = stage.run(*EXIT)
    assert again.code == 0, calm(again)
    assert (stage.worktree / "a.py").exists() is (step == REWRITE)


@pytest.mark.parametrize(
    "how", ["shutil.rmtree(SESSION)", "SESSION.rename(SESSION.with_name('gone'))"]
)
def test_the_session_folder_is_gone(stage: Stage, how: str) -> None:
    stage.script(f"import shutil; {how}", default=DONE)
    ended = stage.run(task=TASK)
    assert ended.code in (1, 3) and "sessions" in calm(ended)


@pytest.mark.parametrize("program", ["git", "claude"])
def test_a_program_is_gone(stage: Stage, program: str) -> None:
    """An update may remove it while a child works. The message names it, and a start continues."""
    tools = stage.folder / "bin"
    tools.mkdir()
    for tool in ("git", "python3", "sh", "env"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    (tools / "claude").symlink_to(STUB)
    stage.extra = {"PATH": str(tools), "CLAUDE_PATH": str(tools / "claude")}
    hide = f"Path({str(tools / program)!r}).rename({str(tools / 'hidden')!r})"
    stage.script(f"{hide}\n{WORK}", default=DONE)
    ended = stage.run(task=TASK)
    said = "git cannot be run" if program == "git" else str(tools / "claude")
    assert ended.code in (1, 2, 3) and said in calm(ended)
    (tools / "hidden").rename(tools / program)
    again = stage.run()
    assert again.code == 0, calm(again)
    assert stage.outcomes[0] == "continue" and stage.outcomes[-1] == "done"


@pytest.mark.parametrize("below", ["", "sub"])
def test_a_lost_worktree_in_the_repository(stage: Stage, repo: Path, below: str) -> None:
    """It never means the repository around it: a `git reset` does not reach the user's work."""
    (repo / "sub").mkdir()
    (repo / "sub" / "b.py").write_text("x\n")
    git("add", ".", cwd=repo)
    git("commit", "-qm", "sub", cwd=repo)
    held = f'test "$GIT_CEILING_DIRECTORIES" = "{repo}/.wt:/x"'
    keys = {"MAIN_REPO": str(repo / below), "WORKTREES": str(repo / ".wt")}
    stage.configure(**keys, SETUP=held, VERIFY=held)
    stage.extra = {"GIT_CEILING_DIRECTORIES": "/x"}
    lose = "import glob; [os.unlink(f) for f in glob.glob('.git') + glob.glob('../.git')]\n"
    reset = f"subprocess.run(['git', 'reset', '-q', '--hard']); {WORK}"
    ready, last = "signal('continue', phase='planning')", "signal('continue', phase='done')"
    stage.script(ready, "plan()", lose + reset, last, default=DONE)
    (repo / "a.py").write_text("# unfinished\n")
    for args in (("--task", TASK), ()):
        ended = stage.run("--yes", *args)
        assert ended.code == 3 and f"git -C {repo} worktree repair" in calm(ended)
        assert (repo / "a.py").read_text() == "# unfinished\n"
    git("worktree", "repair", cwd=repo)
    assert stage.run("--yes").code == 0
