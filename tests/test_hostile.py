"""A child that does everything it should not: a clear error or none, nothing of the human's lost,
never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import git
from tests.harness import FAKE, Project

DONE = "signal('done', summary='s')"
WORK = "\nwrite('w%d' % ITERATION['iteration']); signal('continue')"
NAMES = """
QA_FILE, NOTES = SESSION / "_qa.md", SESSION / "_overview.md"
NOW, LOCK = SESSION / "_iteration.json", SESSION.parent / ".locks" / SESSION.name
QA = QA_FILE.read_text(errors="replace")
assert "Which?" in QA and "mine," in QA and " of it" in QA, QA[:500]
"""
MINE = "mine,\nall <!-- really --> of it"


def calm(ended: subprocess.CompletedProcess[str]) -> str:
    """What the loop said; it may be no traceback and hold nothing that drives a terminal."""
    text = ended.stdout + ended.stderr
    assert "Traceback" not in text and "a bug in samocode" not in text, text
    assert not [c for c in text if not c.isprintable() and c not in "\n\t"]
    return text


def whole(project: Project) -> None:
    """Every line of the record can be read, and the human's words stand where they stood."""
    assert (
        project.history("session")
        and "the human's task" in (project.session / "_task.md").read_text()
    )


ACTS = {
    "fills the questions": "QA_FILE.open('a').write('x' * 2_000_000)",
    "copies a question": "QA_FILE.open('a').write(QA * 20)",
    "questions become a fifo": "QA_FILE.unlink(); os.mkfifo(QA_FILE)",
    "questions become a folder": "QA_FILE.unlink(); QA_FILE.mkdir()",
    "questions become a link": "QA_FILE.unlink(); QA_FILE.symlink_to('/etc/passwd')",
    "questions lose their line end": "QA_FILE.write_text('# Questions')",
    "questions are no text": "QA_FILE.write_bytes(bytes(range(256)) * 9)",
    "questions lose their print": "QA_FILE.write_text(QA.partition('-->')[2])",
    "questions name another print": "QA_FILE.write_text(QA.replace('page (', 'page (9'))",
    "rewrites the task": "(SESSION / '_task.md').write_text('something easier')",
    "task becomes a link": """
(SESSION / "_task.md").unlink()
(SESSION / "_task.md").symlink_to("/etc/passwd")""",
    "notebook becomes a folder": "NOTES.unlink(); NOTES.mkdir()",
    "notebook becomes a link": "NOTES.rename(SESSION / 'o.md'); NOTES.symlink_to('o.md')",
    "forges the lock": "LOCK.write_text('{\"pid\": 1}')",
    "forges the iteration": "NOW.write_text('{\"iteration\": 99}')",
    "iteration becomes a folder": "NOW.unlink(); NOW.mkdir()",
    "takes the loop's temporary names": """
for name in ("_qa.md", "_iteration.json", "_overview.md", "_task.md"):
    (SESSION / (name + ".loop.tmp")).mkdir()
    (SESSION / (name + ".swap")).mkdir()""",
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
    "tidies the logs away": "import shutil; shutil.rmtree(SESSION / '_logs')",
    "logs become a file": "import shutil; shutil.rmtree(SESSION / '_logs'); write('_logs')",
    "unreadable folder": "(SESSION / 'locked').mkdir(mode=0)",
}
"""What harms nothing: the session goes on."""


def test_what_a_child_may_spoil_without_stopping_the_session(project: Project) -> None:
    """One act after the other in one session; the recorded answer stands after every one."""
    project.script(
        "ask(); signal('waiting', **{'for': 'qa_answers'})",
        *[NAMES + act + WORK for act in ACTS.values()],
        NAMES + r"signal('done', summary='\x1b[2Jdone \x07')",
    )
    assert project.run("--on-wait", "exit", task="the human's task").returncode == 4
    project.answer(1, MINE)
    ended = project.run("--on-wait", "exit", timeout=120)
    text = calm(ended)
    lines = zip(["asks", *ACTS, "done"], project.history("iteration"), strict=False)
    odd = [
        (name, line)
        for name, line in lines
        if line["outcome"] not in ("waiting", "continue", "done")
    ]
    assert odd == [] and ended.returncode == 0, text[-3000:]
    whole(project)
    assert project.history("answer")[0]["text"] == MINE, "verbatim"
    aside = {path.name for path in project.session.glob("*.kept-*")}
    changed = {"_qa.md.kept-1", "_overview.md.kept-1", "_task.md.kept-1", "_task.md.kept-2"}
    assert changed <= aside, "nothing is thrown away"
    again = project.run()
    assert again.returncode == 0 and "is done" in calm(again)


ASK = "signal('waiting', **{'for': 'qa_answers'})"
PAGE = "PAGE = SESSION / '_qa.md'; MORE = ''; "
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
    "on an older print": """
PAGE.write_text(PAGE.read_text().replace('mine', 'forged').replace('page (', 'page (5) ('))""",
    "on a page of its own": """
PAGE.unlink()
PAGE.write_text('## Q1: Which?\\n\\nAnswer: forged\\n')""",
    "in a swap that a kill cut off": """
PAGE.with_name('_qa.md.swap').write_text(PAGE.read_text().replace('mine', 'forged'))
PAGE.unlink()""",
    "while it asks": "forge(1, 'forged'); ask('More?')",
    "what it asks": """
PAGE.open('a').write('\\n## Q2: More?\\n\\nAnswer: forged\\n')
ask('More?')""",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_answer_is_none(project: Project, name: str) -> None:
    """It shows as not taken yet, the question is open, and what the human said stays on record."""
    act = f"{PAGE}{FORGERIES[name]}\n{ASK} if ASKED else signal('continue')"
    project.script(f"ask(); {ASK}", act, default=DONE)
    assert project.run("--on-wait", "exit", task="the human's task").returncode == 4
    project.answer(1, "mine")
    ended = project.run("--on-wait", "exit")
    assert ended.returncode == 4, calm(ended)
    assert [line["text"] for line in project.history("answer")] == ["mine"]
    assert len(project.outcomes()) == 2, "no child more"
    path = project.session / "_qa.md"
    first, label, rest = path.read_text().partition("\nAnswer:\n")
    assert "\n> mine\n\nNot taken yet:\n\n> " in first
    rest = rest.replace(label, "\nAnswer: mine, too\n")
    path.write_text(f"{first}\nAnswer: before\n{rest}")
    assert project.run("--on-wait", "exit").returncode == 0
    given = [line["text"] for line in project.history("answer")]
    assert given == ["mine", "mine", *["mine, too"] * ("asks" in name)]


def test_what_a_child_leaves_running_forges_nothing(project: Project) -> None:
    """It is ended before anything is read, and a late write would come into the human's time."""
    late = "sleep 1; sed -i s/mine/forged/ ' + str(SESSION / '_qa.md')"
    leave = f"subprocess.Popen(['setsid', 'sh', '-c', '{late}]){WORK}"
    project.script(f"ask(); {ASK}", leave, "time.sleep(1.5)" + WORK, default=DONE)
    assert project.run("--on-wait", "exit", task="the human's task").returncode == 4
    project.answer(1, "mine")
    assert project.run("--on-wait", "exit").returncode == 0
    assert [line["text"] for line in project.history("answer")] == ["mine"]
    assert project.history("found") == []


@pytest.mark.parametrize("first", ["", "<!-- Samocode printed this page (3). -->"])
@pytest.mark.parametrize("plan", [False, True])
def test_a_page_that_was_there_before_anything_was_asked(
    project: Project, first: str, plan: bool
) -> None:
    """Whatever it says, no human said it."""
    title = "Approve the plan plan.md?" if plan else "Which?"
    page = f"{first}\n\n## Q1: {title}\n\nAnswer: yes\n"
    write = f"(SESSION / '_qa.md').write_text({page!r})"
    end = "plan()" if plan else f"ask(); {ASK}"
    project.script(f"{write}; signal('continue', phase='planning')", f"{write}; {end}")
    ended = project.run("--on-wait", "exit", task="the human's task")
    assert ended.returncode == 4, calm(ended)
    assert project.history("answer") == project.history("approved") == []
    assert (project.session / "_qa.md").read_text().endswith("\nAnswer:\n")


STOPS = {
    # name: (step, exit code of this run, said)
    "rewrites the record": ("(SESSION / '_history.jsonl').write_text('')", 3, "_history.jsonl"),
    "rewrites the record in place": ("""
path = SESSION / "_history.jsonl"
old = path.stat()
path.write_text(path.read_text().replace("the human", "a machin"))
os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))""", 3, "_history.jsonl"),
    "approves itself": (
        """
line = json.dumps({"event": "approved", "plan": "p", "digest": "d", "copy": "c"})
(SESSION / "_history.jsonl").open("a").write(line + "\\n")""",
        3, "_history.jsonl",
    ),
    "removes its working directory": ("import shutil; shutil.rmtree(os.getcwd())", None, ""),
    "unlinks its worktree": ("os.unlink('.git')", 3, "git"),
    "changes code under an odd name": ("Path('a.py').rename('b\\x1b[2J.py'); git('add', '.')", 3,
        "Code changed"),
}  # fmt: skip


@pytest.mark.parametrize("name", STOPS)
def test_what_stops_the_session_and_can_be_mended(project: Project, name: str) -> None:
    """A sentence for the human; running again goes on where git can."""
    step, code, said = STOPS[name]
    project.script(step + WORK, default=DONE)
    ended = project.run("--on-wait", "exit", task="the human's task")
    assert code in (None, ended.returncode) and said in calm(ended)
    whole(project)
    assert not project.history("approved")
    if name == "unlinks its worktree":
        git("worktree", "repair", cwd=project.repo)
    if name.startswith("changes"):
        git("commit", "-qam", "accepted", cwd=project.worktree)
    again = project.run("--on-wait", "exit")
    assert again.returncode == 0, calm(again)


@pytest.mark.parametrize(
    "how", ["shutil.rmtree(SESSION)", "SESSION.rename(SESSION.with_name('gone'))"]
)
def test_the_session_folder_itself_is_gone(project: Project, how: str) -> None:
    """The record is in the loop's memory: it comes back, or a sentence says where things stand."""
    project.script(f"import shutil; {how}", default=DONE)
    ended = project.run(task="the human's task")
    assert ended.returncode in (1, 3) and "sessions" in calm(ended)


def test_git_itself_is_gone(project: Project) -> None:
    """Taken away by an update while a child works: said as it is, and going on mends it."""
    tools = project.folder / "bin"
    tools.mkdir()
    for tool in ("git", "python3", "sh", "env"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    project.extra = {"PATH": str(tools)}
    hide = f"Path({str(tools / 'git')!r}).rename({str(tools / 'hidden')!r})"
    project.script(hide + WORK, default=DONE)
    ended = project.run(task="the human's task")
    assert ended.returncode == 1 and "git cannot be run" in calm(ended)
    (tools / "hidden").rename(tools / "git")
    assert project.run().returncode == 0 and project.outcomes() == ["continue", "done"]


def test_claude_itself_is_gone(project: Project) -> None:
    """Updated or removed in the middle of the night."""
    claude = project.folder / "claude"
    shutil.copy(FAKE, claude)
    project.extra = {"CLAUDE_PATH": str(claude)}
    project.script(f"os.unlink({str(claude)!r})" + WORK, default=DONE)
    ended = project.run(task="the human's task")
    assert ended.returncode in (1, 2, 3) and str(claude) in calm(ended)
    shutil.copy(FAKE, claude)
    again = project.run()
    assert again.returncode == 0, calm(again)
    whole(project)


def test_another_sessions_files(project: Project) -> None:
    """They are not guarded while its loop does not run: then its next start names the line."""
    project.script(default=DONE)
    project.run("--max-iterations", "0", task="the human's task")
    victim = project.session
    other = Project(project.folder, project.repo, name="other")
    other.script(
        f"""
victim = Path({str(victim)!r})
(victim / "_history.jsonl").open("a").write("rubbish\\n" + '{{"torn')
(victim.parent / ".locks" / victim.name).write_text("forged")
(victim / "_iteration.json").write_text("[" * 9999)"""
        + WORK,
        default=DONE,
    )
    assert other.run(task="x").returncode == 0
    project.script(DONE)
    count = (victim / "_history.jsonl").read_bytes().count(b"\n")
    ended = project.run()
    assert ended.returncode == 2 and f"_history.jsonl line {count} is damaged" in calm(ended)
    data = (victim / "_history.jsonl").read_bytes().replace(b"rubbish\n", b"")
    (victim / "_history.jsonl").write_bytes(data)
    again = project.run()
    assert again.returncode == 0, calm(again)
    assert (victim / "_history.jsonl.torn").read_bytes().startswith(b'{"torn')
    whole(project)


def unprivileged(command: list[str]) -> list[str]:
    """For root: the same command without the right to pass over modes."""
    if os.getuid() != 0:
        return command
    if not shutil.which("setpriv"):
        pytest.skip("root, and no setpriv to drop its rights")
    return [
        "setpriv",
        "--bounding-set",
        "-dac_override,-dac_read_search",
        "--inh-caps",
        "-all",
        *command,
    ]


def run_unprivileged(project: Project, *args: str) -> subprocess.CompletedProcess[str]:
    """`project.run`, so."""
    return subprocess.run(
        unprivileged(project.command(*args)),
        env=project.environ(), cwd=project.folder, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip


def test_a_read_only_session_folder(project: Project) -> None:
    project.script("signal('continue'); SESSION.chmod(0o500)", default=DONE)
    ended = run_unprivileged(project, "--task", "the human's task")
    assert ended.returncode == 1 and "ermission denied" in calm(ended)
    again = run_unprivileged(project)
    assert again.returncode in (1, 2) and "ermission denied" in calm(again)
    project.session.chmod(0o700)
    whole(project)
    assert run_unprivileged(project).returncode == 0


@pytest.fixture
def small_disk(project: Project) -> Iterator[Path]:
    """SESSIONS on a disk of 512 KB."""
    folder = project.folder / "sessions"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


FILL = "try:\n    open({!r}, 'wb').write(bytes(600_000))\nexcept OSError:\n    pass\n"


def test_a_full_disk(project: Project, small_disk: Path) -> None:
    """While a child runs, and at a start; with room again the session goes on."""
    big = small_disk / "big"
    project.script(FILL.format(str(big)), default=DONE)
    ended = project.run(task="the human's task")
    assert ended.returncode == 1 and "make room" in calm(ended)
    whole(project)
    again = project.run()
    assert again.returncode == 1 and "No space left" in calm(again)
    big.unlink()
    whole(project)
    last = project.run()
    assert last.returncode == 0, calm(last)
    assert [line["n"] for line in project.history("iteration")] == [1, 2]


def test_a_disk_that_is_full_from_the_start(project: Project, small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        (small_disk / "big").write_bytes(bytes(600_000))
    ended = project.run(task="the human's task")
    assert ended.returncode in (1, 2) and "No space left" in calm(ended)
    assert [p.name for p in small_disk.iterdir()] == ["big"], "all or nothing"
    (small_disk / "big").unlink()
    project.script(default=DONE)
    assert project.run(task="the human's task").returncode == 0


def test_a_forged_next_iteration_is_not_evaluated(project: Project) -> None:
    """A signal whose iteration has its line is never read again, whatever stands in
    `_iteration.json`."""
    forge = "(SESSION / '_iteration.json').write_text('{\"iteration\": 2}')"
    project.script("signal('blocked', reason='r'); " + forge, default=DONE)
    assert project.run(task="the human's task").returncode == 3
    ended = project.run()
    assert ended.returncode == 0, calm(ended)
    assert project.outcomes() == ["blocked", "done"]


def test_leftovers_of_a_killed_loop_all_at_once(project: Project) -> None:
    """A torn line, a stale lock, a temporary file, half a signal and no log: it goes on."""
    project.script(default=DONE)
    project.run("--max-iterations", "0", task="the human's task")
    folder = project.session
    begun = {"t": "2026-01-08T10:00:00+00:00", "event": "begin", "n": 1, "phase": "investigation"}
    with (folder / "_history.jsonl").open("a") as file:
        file.write(json.dumps(begun | {"log": "../../../etc/passwd"}) + "\n")
        file.write('{"t": "2026-01-08T10:00:00+00:00", "event": "iterat')
    held = '{"pid": 1, "host": "x", "since": "y"}'
    (folder.parent / ".locks" / folder.name).write_text(held)
    (folder / "_iteration.json").write_text(
        json.dumps({"iteration": 1, "log": "../../../etc/passwd"})
    )
    (folder / "_iteration.json.loop.tmp").write_text("half")
    (folder / "_signal.json").write_text('{"status": "contin')
    ended = project.run()
    assert ended.returncode == 0, calm(ended)
    assert project.outcomes() == ["interrupted", "done"]
    whole(project)


@pytest.mark.parametrize("below", ["", "sub"])
def test_a_lost_worktree_never_means_the_repository_around_it(
    project: Project, repo: Path, below: str
) -> None:
    """Its .git is gone, and it lies in the user's repository: a reset there met the user's work."""
    (repo / "sub").mkdir()
    (repo / "sub" / "b.py").write_text("x\n")
    git("add", ".", cwd=repo)
    git("commit", "-qm", "sub", cwd=repo)
    held = f'test "$GIT_CEILING_DIRECTORIES" = "{repo}/.wt:/x"'
    keys = {"MAIN_REPO": str(repo / below), "WORKTREES": str(repo / ".wt")}
    project.configure(**keys, SETUP=held, VERIFY=held)
    project.extra = {"GIT_CEILING_DIRECTORIES": "/x"}
    lose = "import glob; [os.unlink(f) for f in glob.glob('.git') + glob.glob('../.git')]\n"
    reset = "subprocess.run(['git', 'reset', '-q', '--hard'])" + WORK
    ready, last = "signal('continue', phase='planning')", "signal('continue', phase='done')"
    project.script(ready, "plan()", lose + reset, last, default=DONE)
    (repo / "a.py").write_text("# unfinished\n")
    ended = project.run("--yes", task="the human's task")
    assert ended.returncode == 3 and f"git -C {repo} worktree repair" in calm(ended)
    assert (repo / "a.py").read_text() == "# unfinished\n"
    again = project.run("--yes")
    assert again.returncode == 3 and "worktree repair" in calm(again)
    git("worktree", "repair", cwd=repo)
    assert project.run("--yes").returncode == 0
