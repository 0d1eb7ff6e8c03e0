"""The package git: it chooses the base, makes the worktree, and changes nothing of the user's."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samocode.decide.changes import changed_code, uncommitted
from samocode.git import command, gitdir
from samocode.git import worktree as worktrees
from samocode.git.branches import Branches
from samocode.git.checkout import Checkout
from samocode.git.repository import Repository
from samocode.git.shared import Shared
from samocode.git.status import changes, look
from samocode.record.exits import UserError
from samocode.record.history import History
from samocode.record.state import Worktree
from samocode.session import Session
from samocode.show import landing
from tests.outer.stage import executable, git, photo, sh


def at(folder: Path, **environ: str) -> Repository:
    found = Repository.find(folder, {**os.environ, **environ})
    assert found is not None
    return found


def start(folder: Path) -> str:
    return Branches.read(at(folder)).start(None)[1]


def commit(repo: Path, name: str = "a.py", words: str = "x") -> str:
    (repo / name).write_text(words)
    git("add", name, cwd=repo)
    git("commit", "-qm", f"change {name}", cwd=repo)
    return git("rev-parse", "HEAD", cwd=repo)


@pytest.fixture
def tree(tmp_path: Path, repo: Path) -> Worktree:
    """A session's worktree."""
    found = Worktree(tmp_path / "worktrees" / "s", "samocode/s", "main")
    assert "on new branch samocode/s, from main" in (worktrees.ensure(at(repo), found) or "")
    return found


# The base. In the scripts, `new` and `other` are two commits whose parent is `old`.

TRUNK = "git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/trunk"
REMOTE = "git update-ref refs/remotes"


@pytest.mark.parametrize(
    ("script", "wanted", "base"),
    [
        ("true", None, "main"),
        ("git branch master $old", None, "main"),
        ("git branch -m main master", None, "master"),
        ("git branch -m main feature", None, "feature"),
        ("git branch -m main feature; git checkout -q --detach $old", None, "old"),
        (f"{REMOTE}/origin/trunk $new; {TRUNK}", None, "origin/trunk"),
        (f"git branch trunk $old; {REMOTE}/origin/trunk $new; {TRUNK}", None, "origin/trunk"),
        (f"git branch trunk $new; {REMOTE}/origin/trunk $old; {TRUNK}", None, "trunk"),
        (f"git branch trunk $other; {REMOTE}/origin/trunk $new; {TRUNK}", None, "trunk"),
        (f"{REMOTE}/origin/main $new", None, "origin/main"),
        (TRUNK, None, "main"),
        ("git branch release/1 $old; git branch trunk", "release/1", "release/1"),
        (f"{REMOTE}/origin/dev $new", "dev", "origin/dev"),
        (f"git branch dev $new; {REMOTE}/origin/dev $old", "origin/dev", "origin/dev"),
        ("git checkout -q --orphan pages", None, "main"),
    ],
)
def test_base(repo: Path, script: str, wanted: str | None, base: str) -> None:
    """BASE_BRANCH, else origin's default branch, main, master, or the current branch. Of its local
    and remote copies the newer one, the local one if they diverged."""
    hashes = {"old": git("rev-parse", "HEAD", cwd=repo)}
    for name, file in (("new", "a.py"), ("other", "b.py")):
        git("checkout", "-q", "--detach", hashes["old"], cwd=repo)
        hashes[name] = commit(repo, file)
    git("checkout", "-q", "main", cwd=repo)
    names = "; ".join(f"{name}={tip}" for name, tip in hashes.items())
    sh(f"{names}; {script}", repo)
    assert Branches.read(at(repo)).base(wanted) == hashes.get(base, base)


@pytest.mark.parametrize(
    ("script", "wanted", "says"),
    [
        (f"{REMOTE}/origin/trunk main; {TRUNK}", "HEAD", "BASE_BRANCH HEAD is not a branch"),
        ("git checkout -q --orphan pages; git branch -m main develop", None,
            "pages has no commit: set BASE_BRANCH .*such as develop"),
    ],
)  # fmt: skip
def test_what_cannot_be_the_base(repo: Path, script: str, wanted: str | None, says: str) -> None:
    sh(script, repo)
    with pytest.raises(UserError, match=says):
        Branches.read(at(repo)).start(wanted)


def test_a_tag_of_the_same_name_is_not_the_base(tmp_path: Path, repo: Path) -> None:
    git("tag", "main", cwd=repo)
    tip = commit(repo)
    tree = Worktree(tmp_path / "w", "samocode/s", "main")
    worktrees.ensure(at(repo), tree)
    assert git("rev-parse", "HEAD", cwd=tree.path) == tip
    assert landing.story(at(repo), tree) == ("", "")


# What is refused


def test_a_repository_that_git_refuses(tmp_path: Path, repo: Path) -> None:
    """The error has all of git's output, whose last line may have the remedy."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / ".git").write_text("gitdir: nowhere\n")
    for place, environ, says in (
        (broken, {}, "git cannot use the repository"),
        (broken, {"PATH": str(tmp_path)}, "git is not installed"),
        (repo, {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}, r"dubious.* git config --global --add"),
    ):
        with pytest.raises(UserError, match=says):
            at(place, **environ)
    with pytest.raises(UserError, match="git cannot be run") as raised:
        look(repo, {**os.environ, "PATH": str(tmp_path)})
    assert raised.value.exit_code == 1


def test_a_bare_repository(tmp_path: Path, repo: Path) -> None:
    """It is refused, alone and with a .git file beside it. The command lists its worktrees."""
    home = tmp_path / "the home"
    git("clone", "-q", "--bare", str(repo), f"{home}/.bare", cwd=tmp_path)
    (home / ".git").write_text("gitdir: ./.bare\n")
    for place in (home, home / ".bare"):
        with pytest.raises(UserError, match="is a bare repository: set it to one of its") as said:
            at(place)
        sh(str(said.value).partition("(")[2].rstrip(")."), tmp_path)
    git("worktree", "add", "-q", "main", cwd=home)
    assert at(home / "main").top == home / "main"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("git config core.bare true", r"core\.bare set by mistake"),
        ("git update-ref -d HEAD", "has no commit yet"),
        ("rm -rf .git * .gitignore; git init -q", "has no commit yet"),
    ],
)
def test_the_printed_command_repairs(tmp_path: Path, repo: Path, script: str, says: str) -> None:
    """It unsets core.bare, which a `git config` in one worktree sets for all, or makes the first
    commit, of all files."""
    repo = repo.rename(tmp_path / "two words")
    sh(script, repo)
    with pytest.raises(UserError, match=says) as said:
        start(repo)
    sh(str(said.value).partition("Run: ")[2], repo)
    assert start(repo) and git("ls-files", "-o", cwd=repo) == ""


@pytest.mark.parametrize("gone", [False, True])
def test_starting_over(tmp_path: Path, repo: Path, gone: bool) -> None:
    """The printed command removes the branch and the worktree, even if its folder is gone."""
    repo = repo.rename(tmp_path / "re po")
    tree = Worktree(tmp_path / "w t" / "s", "samocode/s", "main")
    worktrees.ensure(at(repo), tree)
    if gone:
        shutil.rmtree(tree.path)
    with pytest.raises(UserError, match="remove it with the commits on it: ") as said:
        worktrees.check_free(Branches.read(at(repo)), tree)
    sh(str(said.value).partition(" on it: ")[2], tmp_path)
    worktrees.check_free(Branches.read(at(repo)), tree)


@pytest.mark.parametrize("kind", ["folder", "file", "branch"])
def test_what_is_taken_is_left_alone(tmp_path: Path, repo: Path, tree: Worktree, kind: str) -> None:
    """If the path or the branch of a new session exists already, it stays as it is."""
    path = tmp_path / "theirs"
    name, says = f"samocode/{kind}", "move it away"
    if kind == "branch":
        name, says = tree.branch, f"checked out in {tree.path}"
    elif kind == "folder":
        path.mkdir()
    else:
        path.touch()
    before = photo(tmp_path)
    with pytest.raises(UserError, match=says):
        worktrees.ensure(at(repo), Worktree(path, name, "main"))
    with pytest.raises(UserError, match="choose another --session name"):
        worktrees.check_free(Branches.read(at(repo)), Worktree(path, name, "main"))
    assert photo(tmp_path) == before


# Places


@pytest.mark.parametrize("name", ["-dash", "ünï 'quote\""])
def test_paths_of_any_kind(tmp_path: Path, repo: Path, name: str) -> None:
    moved = repo.rename(tmp_path / name)
    tree = Worktree(tmp_path / f"w {name}" / "s", "samocode/s", "main")
    worktrees.ensure(at(moved), tree)
    assert worktrees.ensure(at(moved), tree) is None
    (tree.path / name).write_text("x")
    assert look(tree.path, os.environ).untracked == (name,)
    git("add", ".", cwd=tree.path)
    assert list(look(tree.path, os.environ).dirty) == [name]


# For people


def test_story_of_a_base_that_was_renamed(repo: Path, tree: Worktree) -> None:
    """It has the commits since the recorded base, else since the checked-out branch."""
    recorded = tree._replace(commit=git("rev-parse", "main", cwd=repo))
    commit(tree.path, "b.py")
    commit(repo, "unrelated.py")
    git("branch", "-m", "main", "trunk", cwd=repo)
    for known in (tree, recorded):
        commits, stat = landing.story(at(repo), known)
        git("merge", "-q", tree.branch, cwd=repo)
        assert commits.endswith("change b.py") and "\n" not in commits
        assert "b.py | 1 +" in stat and "unrelated" not in stat


MERGES = {
    "here": ("true", "main", "main"),
    "a git directory elsewhere": ("git init -q --separate-git-dir ../elsewhere", "main", "main"),
    "of a remote": (f"{REMOTE}/up/main main", "up/main", "main"),
    "of one of two remotes": (
        "git remote add up .; git remote add fork .; git fetch -q --all; git switch -qc mine; "
        f"git branch -m main old; {REMOTE}/up/rel mine; {REMOTE}/fork/rel mine", "up/rel", "rel",
    ),
    "checked out nowhere": ("git switch -qc mine", "main", "main"),
    "in another worktree": (
        "git switch -qc mine; git worktree add -q '../an other' main", "main", "main",
    ),
    "renamed": ("git branch -m main trunk", "main", "trunk"),
    "a commit": ("git branch -m main trunk", "HEAD", "trunk"),
}  # fmt: skip


@pytest.mark.parametrize("case", MERGES)
def test_the_merge_command_merges(repo: Path, tree: Worktree, case: str) -> None:
    """The printed command merges the work into the base, wherever that is checked out."""
    script, base, into = MERGES[case]
    base = git("rev-parse", base, cwd=repo) if base == "HEAD" else base
    sh(script, repo)
    tip = commit(tree.path, "b.py")
    sh(landing.merge(at(repo), tree._replace(base=base)), Path("/"))
    assert git("rev-parse", into, cwd=repo) == tip


def test_a_pull_request_names_the_base_of_another_remote(tmp_path: Path, repo: Path) -> None:
    """Without --base, gh takes the default branch."""
    executable(tmp_path / "gh")
    sh(f"git remote add origin .; git remote add up .; {REMOTE}/up/rel main", repo)
    found = at(repo, PATH=f"{tmp_path}:{os.environ['PATH']}")
    tree = Worktree(tmp_path / "w", "samocode/s", "up/rel")
    assert " --base rel " in (landing.pull_request(found, tree, "t", "b") or "")


# The status


@pytest.mark.parametrize(
    ("script", "names"),
    [
        *((script, ("a.py",)) for script in (
            "echo x > a.py", "rm a.py", "ln -sf /nowhere a.py", "rm a.py; mkfifo a.py",
            "rm a.py; mkdir a.py", "chmod +x a.py", "git rm -q --cached a.py", "git checkout a.py",
            "echo x > a.py; git add a.py; git checkout-index -f a.py; git config diff.relative 1",
        )),
        ("rm test_a.py; echo x > a.py", ("a.py", "test_a.py")),
        ("echo x > b.py; git add b.py; git commit -qm b", ("HEAD", "b.py")),
        ("touch new.txt test_a.py", ()),
    ],
)  # fmt: skip
def test_changes_of_tracked_files(tree: Worktree, script: str, names: tuple[str, ...]) -> None:
    """Each kind, also a commit, and a second change of a changed file. Not an untracked file, and
    not a file of which only the time changed."""
    (tree.path / "a.py").write_text("changed before")
    before = look(tree.path, os.environ)
    sh(script, tree.path)
    found = changes(tree.path, os.environ, before, look(tree.path, os.environ))
    assert tuple(name.partition(" (")[0] for name in found) == names


def test_a_submodule_changes_as_the_rest_does(tmp_path: Path, repo: Path) -> None:
    """By an edit or a commit in it, not by a build log."""
    git("clone", "-q", str(repo), "inner", cwd=tmp_path)
    sh("git -c protocol.file.allow=always submodule --quiet add ../inner lib", repo)
    git("commit", "-qm", "lib", cwd=repo)
    (repo / "lib" / "build.log").write_text("x")
    before = look(repo, os.environ)
    assert before.dirty == {}
    for script in ("echo z > a.py; git commit -qam z", "git reset -q --hard HEAD^; echo y > a.py"):
        sh(script, repo / "lib")
        assert look(repo, os.environ).changes_since(before) == ("lib",)


UNFINISHED = {
    "git merge -q --no-commit -s ours side": "a merge in progress",
    "git merge -q --no-commit -s ours side; git merge --abort": "",
    "git revert --no-commit HEAD; git reset -q --hard; git revert HEAD^": "a revert in progress",
    "git cherry-pick side": "a cherry-pick in progress",
    "git rebase -q side": "a rebase in progress",
    "git rebase -q --apply side": "a rebase in progress",
    "git cherry-pick side side^; git checkout -q --theirs .; git commit -qam x": (
        "a cherry-pick or revert of several commits in progress"
    ),
}


@pytest.mark.parametrize("script", UNFINISHED)
def test_what_git_is_in_the_middle_of(repo: Path, tree: Worktree, script: str) -> None:
    """It is a change of the worktree, since no commit has its result yet."""
    git("switch", "-qc", "side", cwd=repo)
    for place, words in ((repo, "side"), (tree.path, "ours")):
        commit(place, words=words)
        commit(place, words=f"{words} again")
    sh(script, tree.path, check=False)
    wanted = (UNFINISHED[script],) if UNFINISHED[script] else ()
    assert gitdir.unfinished(tree.path) == wanted and gitdir.unfinished(repo) == ()
    assert set(wanted) <= set(look(tree.path, os.environ).dirty)


def test_a_worktree_that_git_cannot_read(repo: Path, tree: Worktree) -> None:
    """The session is blocked, with a command to look at it. GIT_CEILING_DIRECTORIES cannot contain
    a path with a colon, so git could then find a repository in a folder above."""
    says = r"cannot read the worktree .*: git -C '.*/w x' status"
    with pytest.raises(UserError, match=says) as raised:
        look(tree.path.with_name("w x"), os.environ)
    assert raised.value.exit_code == 3
    inside = Worktree(repo / "wt:s" / "s", "samocode/t", "main")
    worktrees.ensure(at(repo), inside)
    assert look(inside.path, os.environ).dirty == {}
    (inside.path / ".git").unlink()
    with pytest.raises(UserError, match="worktree repair"):
        look(inside.path, os.environ)


# The loop's own calls change nothing, whatever a child did


@pytest.mark.parametrize("configured", [False, True])
def test_no_hook_of_the_users_runs(tmp_path: Path, repo: Path, configured: bool) -> None:
    """Neither from .git/hooks nor from core.hooksPath, and no core.fsmonitor."""
    hooks = tmp_path / "hooks" if configured else repo / ".git" / "hooks"
    for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-commit"):
        executable(hooks / name, f"#!/bin/sh\necho {name} >> {tmp_path}/ran\n")
    if configured:
        git("config", "core.hooksPath", str(hooks), cwd=repo)
    git("config", "core.fsmonitor", str(hooks / "pre-commit"), cwd=repo)
    git("branch", "trap", cwd=repo)
    assert (tmp_path / "ran").exists(), "the hooks work"
    (tmp_path / "ran").unlink()
    tree = Worktree(tmp_path / "w", "samocode/s", "main")
    worktrees.ensure(at(repo), tree)
    look(tree.path, os.environ)
    assert not (tmp_path / "ran").exists()


BEHAVIOUR = (
    "echo x >> a.py", "rm a.py", "touch -t 200101010000 a.py", "chmod +x a.py",
    "ln -sf /nowhere a.py", "rm a.py; mkdir a.py", "echo n > new.txt; git add new.txt",
    "echo u > untracked.txt", "echo i > later.txt; git add -N later.txt", "git commit -qam more",
    "git commit -q --allow-empty -m empty", "git stash -q", "git stash -q -u", "git stash pop -q",
    "git switch -q -c other", "git checkout -q --detach", "git switch -q main", "git tag -f t",
    "git branch -f keep", "git reset -q --hard", "git rm -q --cached a.py",
    "git merge -q --no-edit other", "git config diff.relative true",
    "git config status.showUntrackedFiles no", "git update-index --assume-unchanged a.py",
    "git gc -q", "mkdir sub; git init -q sub/inner", "echo '*.txt' > .gitignore", "rm .git; true",
    "git worktree prune", "echo a > 'odd ü\nname'; git add .",
    "git update-index --skip-worktree test_a.py; rm test_a.py",
)  # fmt: skip
"""Scripts that run in MAIN_REPO or in the worktree; some fail, as a child's may."""


@contextmanager
def scene() -> Generator[tuple[Path, Session]]:
    """A repository, and a session with its worktree. Each hypothesis example makes one."""
    with tempfile.TemporaryDirectory() as folder:
        repo, tree = Path(folder) / "repo", Worktree(Path(folder) / "w" / "s", "samocode/s", "main")
        repo.mkdir()
        sh("git init -q; echo 'a = 1' > a.py; echo 'import a' > test_a.py", repo)
        sh("git add .; git commit -qm Start", repo)
        worktrees.ensure(at(repo), tree)
        session = Path(folder) / "session"
        session.mkdir()
        history = History(session / "_history.jsonl")
        history.append("session", path=str(tree.path), branch=tree.branch, base=tree.base)
        yield repo, Session(session, repo, Checkout(at(repo), tree), history)


def ask_all(repo: Path, session: Session) -> None:
    """Make every call of git that the loop makes in a run. Each may raise a UserError."""
    found, checkout = at(repo), session.checkout
    assert checkout is not None
    tree, state = checkout.worktree, session.state
    found.check_identity()
    Branches.read(found).base(None)
    found.ignores(tree.path)
    for call in (
        session.ensure_worktree, session.status,
        lambda: uncommitted(state, session.status()),
        lambda: changed_code(state, session.status(), os.environ),
        lambda: landing.story(found, tree),
        Shared(found, tree.path).changed, lambda: Shared(found, tree.path).warnings(""),
    ):  # fmt: skip
        try:
            call()
        except UserError as error:
            assert error.problems, "a sentence"


@given(st.lists(st.tuples(st.sampled_from(BEHAVIOUR), st.booleans()), min_size=1, max_size=7))
@settings(max_examples=25, deadline=None)
def test_the_loop_changes_nothing_of_the_users(behaviour: list[tuple[str, bool]]) -> None:
    """Whatever a child did, HEAD, index, stash, refs and files stay byte for byte as they are."""
    with scene() as (repo, session):
        for script, in_tree in behaviour:
            if (place := session.cwd if in_tree else repo).is_dir():
                sh(script, place, check=False)
        before = photo(repo, session.cwd)
        ask_all(repo, session)
        assert photo(repo, session.cwd) == before


def test_a_worktree_made_again_touches_only_itself() -> None:
    """Staged, stashed and changed files of MAIN_REPO stay as they are."""
    with scene() as (repo, session):
        sh("echo n > new.txt; git add new.txt; git stash -q -u; echo x >> a.py", repo)
        shutil.rmtree(session.cwd)
        before = photo(repo)
        ask_all(repo, session)
        changed = {path for path, data in photo(repo).items() if before.get(path) != data}
        assert changed and all("/.git/worktrees/s" in path for path in changed), changed


def test_a_daemon_of_git(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps git's output open, so the call ends at its time limit."""
    monkeypatch.setattr(command, "TIMEOUT", 1)
    alias = f"alias.d=!setsid sleep 600 & echo $! > '{tmp_path}/pid'"
    said = command.git(repo, os.environ, "-c", alias, "d")
    daemon = psutil.Process(int((tmp_path / "pid").read_text()))
    assert said.returncode == 124 and daemon.is_running(), "it was not waited for"
    daemon.kill()


def test_a_slow_checkout(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take longer than other calls."""
    monkeypatch.setattr(command, "TIMEOUT", 1)
    sh("echo '*.py filter=slow' > .gitattributes; git add .; git commit -qm slow", repo)
    git("config", "filter.slow.smudge", "sleep 1; cat", cwd=repo)
    worktrees.ensure(at(repo), Worktree(tmp_path / "w", "samocode/s", "main"))
    assert (tmp_path / "w" / "test_a.py").exists()
