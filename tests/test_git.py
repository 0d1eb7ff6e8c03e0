"""The door to git: which base, which worktree, and that nothing of the user's ever changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samocode.decide.context import changed_code, signal_context
from samocode.git import gitdir
from samocode.git import worktree as worktrees
from samocode.git.branches import Branches, story
from samocode.git.checkout import Checkout
from samocode.git.repository import Repository
from samocode.git.shared import Shared
from samocode.git.status import changes, look
from samocode.record.exits import UserError
from samocode.record.history import History
from samocode.record.state import Worktree, WorktreeStatus
from samocode.session import Session
from tests.conftest import git


def at(folder: Path, **environ: str) -> Repository:
    """The repository around a folder."""
    found = Repository.find(folder, {**os.environ, **environ})
    assert found is not None
    return found


def branches(folder: Path) -> Branches:
    """Its branches now."""
    return Branches.read(at(folder))


def start(folder: Path) -> str | None:
    """The commit that a session would start from."""
    return branches(folder).commit(branches(folder).base(None))


def sh_ok(command: str) -> None:
    """A printed command does its work when it is pasted."""
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"


def commit(repo: Path, name: str = "a.py", words: str = "x") -> str:
    """A commit more on the current branch; its hash."""
    (repo / name).write_text(words)
    git("add", name, cwd=repo)
    git("commit", "-qm", f"change {name}", cwd=repo)
    return git("rev-parse", "HEAD", cwd=repo)


@pytest.fixture
def tree(tmp_path: Path, repo: Path) -> Worktree:
    """A session's worktree, made."""
    found = Worktree(tmp_path / "worktrees" / "s", "samocode/s", "main")
    assert "on new branch samocode/s, from main" in (worktrees.ensure(at(repo), found) or "")
    return found


BASES: list[tuple[str, list[str], str | None, str]] = [
    # name, git commands (old, new and other are commits), BASE_BRANCH, base
    ("only main", [], None, "main"),
    ("origin's default", ["update-ref refs/remotes/origin/trunk new",
        "symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/trunk"], None, "origin/trunk"),
    ("local older", ["branch trunk old", "update-ref refs/remotes/origin/trunk new",
        "symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/trunk"], None, "origin/trunk"),
    ("local newer", ["branch trunk new", "update-ref refs/remotes/origin/trunk old",
        "symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/trunk"], None, "trunk"),
    ("diverged", ["branch trunk other", "update-ref refs/remotes/origin/trunk new",
        "symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/trunk"], None, "trunk"),
    ("origin without HEAD", ["update-ref refs/remotes/origin/main new"], None, "origin/main"),
    ("origin's HEAD names a gone branch",
        ["symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/gone"], None, "main"),
    ("BASE_BRANCH", ["branch dev old", "branch trunk"], "dev", "dev"),
    ("BASE_BRANCH with a slash", ["branch release/1.0 old"], "release/1.0", "release/1.0"),
    ("BASE_BRANCH of origin", ["update-ref refs/remotes/origin/dev new"], "dev", "origin/dev"),
    ("BASE_BRANCH with its remote", ["branch dev new", "update-ref refs/remotes/origin/dev old"],
        "origin/dev", "origin/dev"),
    ("BASE_BRANCH of another remote", ["update-ref refs/remotes/up/dev new"], "up/dev", "up/dev"),
    ("main before master", ["branch master old"], None, "main"),
    ("master", ["branch -m main master"], None, "master"),
    ("the current branch", ["branch -m main feature"], None, "feature"),
    ("detached", ["branch -m main feature", "checkout -q --detach old"], None, "old"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("commands", "wanted", "base"), [b[1:] for b in BASES], ids=[b[0] for b in BASES]
)
def test_base(repo: Path, commands: list[str], wanted: str | None, base: str) -> None:
    hashes = {"old": git("rev-parse", "HEAD", cwd=repo)}
    git("checkout", "-q", "--detach", cwd=repo)
    hashes["new"] = commit(repo)
    git("checkout", "-q", "--detach", hashes["old"], cwd=repo)
    hashes["other"] = commit(repo, "b.py")
    git("checkout", "-q", "main", cwd=repo)
    for command in commands:
        git(*(hashes.get(word, word) for word in command.split()), cwd=repo)
    assert branches(repo).base(wanted) == hashes.get(base, base)


def test_an_unknown_base_branch(repo: Path) -> None:
    with pytest.raises(UserError, match=r"BASE_BRANCH nope is no branch of .*\.samocode"):
        branches(repo).base("nope")


def test_a_tag_of_the_same_name_is_not_the_base(tmp_path: Path, repo: Path) -> None:
    git("tag", "main", cwd=repo)
    tip = commit(repo)
    tree = Worktree(tmp_path / "w", "samocode/s", branches(repo).base(None))
    worktrees.ensure(at(repo), tree)
    assert git("rev-parse", "HEAD", cwd=tree.path) == tip
    assert story(at(repo), tree) == ("", "")


def test_find(tmp_path: Path, repo: Path) -> None:
    (repo / "sub" / "deep").mkdir(parents=True)
    assert at(repo).prefix == ""
    assert (at(repo / "sub" / "deep").top, at(repo / "sub" / "deep").prefix) == (repo, "sub/deep/")
    (tmp_path / "plain").mkdir()
    assert Repository.find(tmp_path / "plain", os.environ) is None


@pytest.mark.parametrize("name", ["plain name", "ünï", "-dash", "'quote\""])
def test_paths_of_any_kind(tmp_path: Path, repo: Path, name: str) -> None:
    moved = tmp_path / name
    repo.rename(moved)
    tree = Worktree(tmp_path / f"w {name}" / "s", "samocode/s", "main")
    worktrees.ensure(at(moved), tree)
    assert worktrees.ensure(at(moved), tree) is None
    assert look(tree.path, os.environ).dirty == {}
    (tree.path / name).write_text("x")
    assert look(tree.path, os.environ).untracked == (name,)
    git("add", ".", cwd=tree.path)
    assert list(look(tree.path, os.environ).dirty) == [name]


def test_a_repository_that_git_refuses(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / ".git").write_text("gitdir: nowhere\n")
    with pytest.raises(UserError, match="git cannot use the repository"):
        Repository.find(tmp_path / "broken", os.environ)
    with pytest.raises(UserError, match="git is not installed"):
        Repository.find(tmp_path / "broken", {**os.environ, "PATH": str(tmp_path)})


def test_all_that_git_says_is_told(repo: Path) -> None:
    """Its remedy for a repository of somebody else stands in the last line."""
    strange = {**os.environ, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    with pytest.raises(UserError, match=r"dubious ownership.* git config --global --add safe\."):
        Repository.find(repo, strange)


def test_a_bare_repository(tmp_path: Path, repo: Path) -> None:
    """Alone, and with a .git file beside it as some who work with worktrees have it."""
    git("clone", "-q", "--bare", str(repo), "the home/.bare", cwd=tmp_path)
    home = tmp_path / "the home"
    (home / ".git").write_text("gitdir: ./.bare\n")
    for place in (home, home / ".bare"):
        with pytest.raises(UserError, match="is a bare repository: set it to one of its") as said:
            Repository.find(place, os.environ)
        sh_ok(str(said.value).partition("(")[2].rstrip(")."))
    git("worktree", "add", "-q", "main", cwd=home)
    assert at(home / "main").top == home / "main"


def test_core_bare_by_mistake(repo: Path) -> None:
    """A test's `git config` in a worktree meets the setting of all of them."""
    git("config", "core.bare", "true", cwd=repo)
    with pytest.raises(UserError, match=r"core\.bare set by mistake") as said:
        at(repo)
    sh_ok(str(said.value).partition("Run: ")[2])
    assert start(repo)


def test_a_worktree_below_its_git_folder(repo: Path) -> None:
    """core.worktree may put it there."""
    (repo / "below").mkdir()
    git("config", "core.worktree", "../below", cwd=repo)
    assert start(repo / "below")


def test_git_is_gone_for_a_moment(tmp_path: Path, repo: Path) -> None:
    """Updated while the loop runs: what is missing is said, and going on mends it."""
    with pytest.raises(UserError, match="git cannot be run") as raised:
        look(repo, {**os.environ, "PATH": str(tmp_path)})
    assert raised.value.exit_code == 1


def test_no_commit_and_no_identity(tmp_path: Path, repo: Path) -> None:
    for name in ("empty", "two words"):
        new = tmp_path / name
        new.mkdir()
        git("init", "-q", cwd=new)
        if name == "two words":
            (new / "a.py").touch()
        assert start(new) is None
        said = str(at(new).no_commit())
        assert "has no commit yet" in said
        sh_ok(said.partition("Run: ")[2])
        assert start(new)
        assert git("ls-files", "-o", cwd=new) == "", "what was there is in the first commit"
    nobody = tmp_path / "nobody"
    nobody.write_text("[user]\n\tuseConfigOnly = true\n")
    with pytest.raises(UserError, match=r"git config --global user\.name"):
        at(repo, GIT_CONFIG_GLOBAL=str(nobody)).check_identity()
    at(repo).check_identity()


def test_the_environment_of_a_git_hook_leads_nowhere(tmp_path: Path, repo: Path) -> None:
    """Started from a git alias or hook, these would send every command to another repository."""
    other = tmp_path / "other"
    other.mkdir()
    git("init", "-q", cwd=other)
    found = at(
        repo, GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other), GIT_INDEX_FILE="x",
            GIT_PREFIX="y/",
        GIT_OBJECT_DIRECTORY=str(other), GIT_COMMON_DIR=str(other), GIT_NAMESPACE="n",
    )  # fmt: skip
    assert found.top == repo
    worktrees.ensure(found, Worktree(tmp_path / "w", "samocode/s", Branches.read(found).base(None)))
    assert git("status", "--porcelain", cwd=tmp_path / "w") == ""
    assert list(other.iterdir()) == [other / ".git"]


# The worktree


def test_made_again(repo: Path, tree: Worktree) -> None:
    tip = commit(tree.path)
    assert worktrees.ensure(at(repo), tree) is None
    shutil.rmtree(tree.path)
    assert "made again from branch samocode/s" in (worktrees.ensure(at(repo), tree) or "")
    assert git("rev-parse", "HEAD", cwd=tree.path) == tip
    shutil.rmtree(tree.path)
    git("worktree", "prune", cwd=repo)
    git("branch", "-q", "-D", "samocode/s", cwd=repo)
    assert "on new branch samocode/s, from main" in (worktrees.ensure(at(repo), tree) or "")


def test_a_worktree_on_another_branch_is_used_as_it_is(repo: Path, tree: Worktree) -> None:
    git("checkout", "-q", "-b", "mine", cwd=tree.path)
    assert worktrees.ensure(at(repo), tree) is None
    assert git("symbolic-ref", "--short", "HEAD", cwd=tree.path) == "mine"


def test_taken(tmp_path: Path, repo: Path, tree: Worktree) -> None:
    """A path or a branch that is somebody else's: exit 2, and nothing is touched."""
    elsewhere = Worktree(tmp_path / "elsewhere", tree.branch, "main")
    with pytest.raises(UserError, match=f"checked out in {tree.path}"):
        worktrees.ensure(at(repo), elsewhere)
    with pytest.raises(UserError, match="exists already"):
        worktrees.check_free(branches(repo), elsewhere)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for name in ("folder", "file"):
        path = tmp_path / name
        taken = Worktree(path, f"samocode/{name}", "main")
        with pytest.raises(UserError, match="move it away"):
            worktrees.ensure(at(repo), taken)
        with pytest.raises(UserError, match="taken already"):
            worktrees.check_free(branches(repo), taken)
        assert path.exists() and not branches(repo).has(taken.branch)
    worktrees.check_free(branches(repo), Worktree(tmp_path / "free", "samocode/free", "main"))


@pytest.mark.parametrize("gone", [False, True])
def test_starting_over(tmp_path: Path, repo: Path, gone: bool) -> None:
    """The printed command removes branch and worktree, also when the folder is gone already."""
    repo = repo.rename(tmp_path / "re po")
    tree = Worktree(tmp_path / "w t" / "s", "samocode/s", "main")
    worktrees.ensure(at(repo), tree)
    if gone:
        shutil.rmtree(tree.path)
    with pytest.raises(UserError, match="remove it with the commits on it: ") as said:
        worktrees.check_free(branches(repo), tree)
    sh_ok(str(said.value).partition(" on it: ")[2])
    worktrees.check_free(branches(repo), tree)


def test_a_base_that_is_gone(tmp_path: Path, repo: Path) -> None:
    with pytest.raises(UserError, match=r"^[^\[\]]*nope[^\[\]]*$"):
        worktrees.ensure(at(repo), Worktree(tmp_path / "w", "samocode/x", "nope"))
    assert not (tmp_path / "w").exists() and not branches(repo).has("samocode/x")


HOOKS = ("post-checkout", "reference-transaction", "post-index-change", "pre-commit")


@pytest.mark.parametrize("configured", [False, True])
def test_no_hook_of_the_users_runs(tmp_path: Path, repo: Path, configured: bool) -> None:
    hooks = tmp_path / "hooks" if configured else repo / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in HOOKS:
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
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


def test_ignores(tmp_path: Path, repo: Path) -> None:
    (repo / ".gitignore").write_text("/hidden/\n")
    assert at(repo).ignores(tmp_path / "outside")
    assert at(repo).ignores(repo / "hidden" / "x")
    assert not at(repo).ignores(repo / "seen" / "x")


def test_story(repo: Path, tree: Worktree) -> None:
    assert story(at(repo), tree) == ("", "")
    commit(tree.path, "b.py")
    commit(repo, "unrelated.py")
    commits, stat = story(at(repo), tree)
    assert commits.endswith("change b.py") and "\n" not in commits
    assert "b.py | 1 +" in stat and "unrelated" not in stat


def test_story_of_a_base_that_was_renamed(repo: Path, tree: Worktree) -> None:
    """It is told from the commit that it was; from a session that has none on record, from what is
    checked out."""
    recorded = tree._replace(commit=git("rev-parse", "main", cwd=repo))
    commit(tree.path, "b.py")
    git("branch", "-m", "main", "trunk", cwd=repo)
    for known in (tree, recorded):
        commits, stat = story(at(repo), known)
        git("merge", "-q", tree.branch, cwd=repo)
        assert commits.endswith("change b.py") and "\n" not in commits and "b.py | 1 +" in stat


BASES_LATER = (
    "here",
    "of a remote",
    "of a submodule",
    "in no worktree",
    "in another",
    "renamed",
    "a commit",
)


@pytest.mark.parametrize("base", BASES_LATER)
def test_the_merge_command_merges(tmp_path: Path, repo: Path, base: str) -> None:
    if base == "of a submodule":  # git lists its top by the git directory's place
        git("init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere"), cwd=repo)
    other = "trunk" if base in ("renamed", "a commit") else "main"
    tip = git("rev-parse", "main", cwd=repo)
    tree = Worktree(tmp_path / "w", "samocode/s", tip if base == "a commit" else "main")
    worktrees.ensure(at(repo), tree)
    if base == "of a remote":
        git("update-ref", "refs/remotes/up/main", tip, cwd=repo)
        tree = tree._replace(base="up/main")
    if base.startswith("in "):
        git("switch", "-qc", "mine", cwd=repo)
    if base == "in another":
        git("worktree", "add", "-q", str(tmp_path / "an other"), "main", cwd=repo)
    if other == "trunk":
        git("branch", "-m", "main", other, cwd=repo)
    tip = commit(tree.path, "b.py")
    command = worktrees.merge(at(repo), tree)
    assert command.startswith(f"git -C {repo} ") == (base != "in another")
    sh_ok(command)
    assert git("rev-parse", other, cwd=repo) == tip


# The status


def test_status_tells_every_tracked_change(repo: Path, tree: Worktree) -> None:
    before = look(tree.path, os.environ)
    assert before.dirty == {} and before.head == git("rev-parse", "HEAD", cwd=repo)
    (tree.path / "new.txt").write_text("untracked is no change")
    os.utime(tree.path / "a.py")
    assert look(tree.path, os.environ).changes_since(before) == ()
    (tree.path / "a.py").write_text("one")
    first = look(tree.path, os.environ)
    (tree.path / "a.py").write_text("two")
    (tree.path / "test_a.py").unlink()
    second = look(tree.path, os.environ)
    assert first.changes_since(before) == ("a.py",)
    assert second.changes_since(first) == ("a.py", "test_a.py")
    assert before.changes_since(second) == ("a.py", "test_a.py")
    commit(tree.path, "c.py")
    (moved, *rest) = look(tree.path, os.environ).changes_since(second)
    assert moved.startswith("HEAD (") and rest == []


CHANGES = (
    "echo x > a.py",
    "rm a.py",
    "ln -sf /nowhere a.py",
    "rm a.py; mkfifo a.py",
    "rm a.py; mkdir a.py",
    "chmod +x a.py",
    "echo x > a.py; git add a.py",
    "git rm -q --cached a.py",
    "echo x > a.py; git add a.py; git checkout-index -f a.py; git config diff.relative true",
)


@pytest.mark.parametrize("script", CHANGES)
def test_each_kind_of_change_is_seen(tree: Worktree, script: str) -> None:
    before = look(tree.path, os.environ)
    sh(script)(tree.path)
    assert look(tree.path, os.environ).changes_since(before) == ("a.py",)


def test_a_submodule_changes_as_the_rest_does(tmp_path: Path, repo: Path) -> None:
    """An untracked file inside is no change (a build log, a cache); an edit or a commit is."""
    inner, local = tmp_path / "inner", ("-c", "protocol.file.allow=always")
    git("clone", "-q", str(repo), str(inner), cwd=tmp_path)
    git(*local, "submodule", "--quiet", "add", str(inner), "lib", cwd=repo)
    git("commit", "-qm", "lib", cwd=repo)
    (repo / "lib" / "build.log").write_text("x")
    before = look(repo, os.environ)
    assert before.dirty == {}
    commit(repo / "lib", "a.py", "z")
    assert look(repo, os.environ).changes_since(before) == ("lib",)
    git("reset", "-q", "--hard", "HEAD^", cwd=repo / "lib")
    (repo / "lib" / "a.py").write_text("y")
    assert look(repo, os.environ).changes_since(before) == ("lib",)


UNFINISHED = {
    "git merge -q --no-commit -s ours side": ("a merge in progress",),
    "git merge -q --no-commit -s ours side; git merge --abort": (),
    "git revert --no-commit HEAD; git reset -q --hard; git revert HEAD^": ("a revert in progress",),
    "git cherry-pick side": ("a cherry-pick in progress",),
    "git rebase -q side": ("a rebase in progress",),
    "git rebase -q side; git rebase --abort": (),
    "git rebase -q --apply side": ("a rebase in progress",),
    "git cherry-pick side side^; git checkout -q --theirs .; git commit -qam x": (
        "a cherry-pick or revert of several commits in progress",
    ),
}


@pytest.mark.parametrize("script", UNFINISHED)
def test_what_git_is_in_the_middle_of(repo: Path, tree: Worktree, script: str) -> None:
    assert gitdir.unfinished(tree.path) == gitdir.unfinished(repo) == ()
    git("switch", "-qc", "side", cwd=repo)
    commit(repo, words="side")
    commit(repo, words="side again")
    commit(tree.path, words="ours")
    commit(tree.path, words="ours again")
    sh(script)(tree.path)
    assert gitdir.unfinished(tree.path) == UNFINISHED[script]
    assert set(UNFINISHED[script]) <= set(look(tree.path, os.environ).dirty), "it is a change"
    assert gitdir.unfinished(repo) == ()


def test_a_worktree_that_git_cannot_read(tree: Worktree) -> None:
    shutil.rmtree(tree.path)
    with pytest.raises(UserError, match=r"cannot read the worktree .*: git -C '.*/w x' status"):
        look(tree.path.with_name("w x"), os.environ)
    with pytest.raises(UserError, match="git cannot read the worktree") as raised:
        look(tree.path, os.environ)
    assert raised.value.exit_code == 3
    assert WorktreeStatus("a") == WorktreeStatus("a", {})


def test_a_worktree_that_git_takes_for_another_place(repo: Path) -> None:
    """A colon in the path: no environment can tell git where to end its search."""
    inside = Worktree(repo / "wt:s" / "s", "samocode/s", "main")
    worktrees.ensure(at(repo), inside)
    assert look(inside.path, os.environ).dirty == {}
    (inside.path / ".git").unlink()
    with pytest.raises(UserError, match="worktree repair"):
        look(inside.path, os.environ)


def test_the_files_of_a_commit_are_named(tree: Worktree) -> None:
    before = look(tree.path, os.environ)
    commit(tree.path, "b.py")
    (tree.path / "a.py").write_text("one")
    moved, *names = changes(tree.path, os.environ, before, look(tree.path, os.environ))
    assert moved.startswith("HEAD (") and names == ["a.py", "b.py"]


def test_a_look_may_refresh_the_index(tree: Worktree) -> None:
    """The index of a new worktree is as old as its files: each look would read all of them."""
    index = Path(git("rev-parse", "--git-path", "index", cwd=tree.path))
    os.utime(tree.path / "a.py", (1, 1))
    before = index.read_bytes()
    look(tree.path, os.environ)
    assert index.read_bytes() == before
    look(tree.path, os.environ, refresh=True)
    assert index.read_bytes() != before


# The loop's own calls change nothing, whatever a child did


def sh(script: str) -> Callable[[Path], None]:
    """A child's behaviour; that it fails is one of them."""

    def run(cwd: Path) -> None:
        if cwd.is_dir():
            subprocess.run(
                ["sh", "-c", script], cwd=cwd, capture_output=True, timeout=30, check=False
            )

    return run


BEHAVIOUR = {
    script: sh(script)
    for script in (
        "echo x >> a.py", "rm a.py", "touch -t 200101010000 a.py", "chmod +x a.py",
            "ln -sf /nowhere a.py", "rm a.py; mkdir a.py",
        "echo n > new.txt; git add new.txt", "echo u > untracked.txt",
            "echo i > later.txt; git add -N later.txt",
        "git commit -qam more", "git commit -q --allow-empty -m empty", "git stash -q",
            "git stash -q -u", "git stash pop -q",
        "git switch -q -c other", "git checkout -q --detach", "git switch -q main", "git tag -f t",
            "git branch -f keep",
        "git reset -q --hard", "git rm -q --cached a.py", "git merge -q --no-edit other",
            "git config diff.relative true",
        "git config status.showUntrackedFiles no", "git update-index --assume-unchanged a.py",
            "git gc -q",
        "mkdir sub; git init -q sub/inner", "echo '*.txt' > .gitignore", "rm .git; true",
            "git worktree prune",
        "echo a > 'odd ü\nname'; git add .",
            "git update-index --skip-worktree test_a.py; rm test_a.py",
    )
}  # fmt: skip
"""Scripts that run in MAIN_REPO or in the worktree."""


def photo(*folders: Path) -> dict[str, bytes | str]:
    """Every file of repository and worktree, those of .git too: HEAD, index, refs, stash."""
    found: dict[str, bytes | str] = {}
    for path in (path for folder in folders for path in folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"-> {path.readlink()}"
        else:
            found[str(path)] = path.read_bytes() if path.is_file() else "folder"
    return found


@contextmanager
def scene() -> Generator[tuple[Path, Session]]:
    """A repository and a session with its worktree, made as the loop makes it; per example."""
    with tempfile.TemporaryDirectory() as folder:
        repo, tree = Path(folder) / "repo", Worktree(Path(folder) / "w" / "s", "samocode/s", "main")
        repo.mkdir()
        (repo / "a.py").write_text("a = 1\n")
        (repo / "test_a.py").write_text("import a\n")
        git("init", "-q", cwd=repo)
        git("add", ".", cwd=repo)
        git("commit", "-qm", "Start", cwd=repo)
        worktrees.ensure(at(repo), tree)
        session = Path(folder) / "session"
        session.mkdir()
        history = History(session / "_history.jsonl")
        history.append("session", path=str(tree.path), branch=tree.branch, base=tree.base)
        yield repo, Session(session, repo, Checkout(at(repo), tree), history)


def ask_all(repo: Path, session: Session) -> None:
    """Every question the loop asks git in a run; that one has no answer is a UserError."""
    found, checkout = at(repo), session.checkout
    assert checkout is not None
    tree, state = checkout.worktree, session.state
    found.check_identity()
    Branches.read(found).base(None)
    found.ignores(tree.path)
    for call in (
        session.ensure_worktree, session.status,
        lambda: signal_context(session.folder, state, session.status()),
        lambda: changed_code(state, session.status(), os.environ), lambda: story(found, tree),
        Shared(found, tree.path).changed, Shared(found, tree.path).warnings,
    ):  # fmt: skip
        try:
            call()
        except UserError as error:
            assert error.problems, "a sentence"


def test_looking_does_not_refresh_the_index(repo: Path, tree: Worktree) -> None:
    """`git diff` writes the index anew when a file's time changed, whatever GIT_OPTIONAL_LOCKS
    says."""
    os.utime(tree.path / "a.py", (1, 1))
    before = photo(repo, tree.path)
    assert look(tree.path, os.environ).dirty == {}
    assert photo(repo, tree.path) == before


@given(
    st.lists(st.tuples(st.sampled_from(sorted(BEHAVIOUR)), st.booleans()), min_size=1, max_size=7)
)
@settings(max_examples=25, deadline=None)
def test_the_loop_changes_nothing_of_the_users(behaviour: list[tuple[str, bool]]) -> None:
    """HEAD, index, stash, refs and files of MAIN_REPO and worktree are byte for byte as the child
    left them."""
    with scene() as (repo, session):
        tree = session.cwd
        for script, in_tree in behaviour:
            BEHAVIOUR[script](tree if in_tree else repo)
        before = photo(repo, tree)
        ask_all(repo, session)
        assert photo(repo, tree) == before


def test_a_worktree_made_again_touches_only_itself() -> None:
    with scene() as (repo, session):
        BEHAVIOUR["echo n > new.txt; git add new.txt"](repo)
        BEHAVIOUR["git stash -q -u"](repo)
        BEHAVIOUR["echo x >> a.py"](repo)
        shutil.rmtree(session.cwd)
        before = photo(repo)
        ask_all(repo, session)
        changed = {path for path, data in photo(repo).items() if before.get(path) != data}
        assert changed and all("/.git/worktrees/s" in path for path in changed), changed
