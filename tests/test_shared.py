"""The repository that sessions share with their user: which changes are reported at a stop."""

import os
from pathlib import Path

import pytest

from samocode.git import gitdir
from samocode.git import worktree as worktrees
from samocode.git.repository import Repository
from samocode.git.shared import Shared
from samocode.record.state import Worktree
from tests.outer.stage import git, sh

COMMIT = "echo x >> a.py; git commit -qam more"


@pytest.fixture
def shared(tmp_path: Path, repo: Path) -> Shared:
    """A Shared of a clone with branches, tags and hooks, and with a session's worktree."""
    git("clone", "-q", "--bare", str(repo), str(tmp_path / "origin.git"), cwd=tmp_path)
    git("remote", "add", "origin", str(tmp_path / "origin.git"), cwd=repo)
    git("fetch", "-q", cwd=repo)
    for name in ("feature", "spare", "dev"):
        git("branch", name, cwd=repo)
    git("tag", "old", cwd=repo)
    git("push", "-q", "origin", "dev", cwd=repo)
    git("worktree", "add", "-q", "-b", "early", "../early", cwd=repo)
    with (repo / ".git/logs/HEAD").open("a") as log:
        log.write(
            f"{'0' * 40} {'0' * 40} T <t@t> 1600000000 +0000\tcheckout: moving from x to spare\n"
        )
    (repo / ".git/hooks").mkdir(exist_ok=True)
    (repo / ".git/hooks/pre-push").write_text("#!/bin/sh\n")
    found = Repository.find(repo, os.environ)
    assert found
    tree = Worktree(tmp_path / "w" / "s", "samocode/s", "main")
    worktrees.ensure(found, tree)
    return Shared(found, tree.path)


def act(shared: Shared, script: str, cwd: Path) -> None:
    """Run a script with GIT, ORIGIN and REPO in its environment."""
    top = shared.repository.top
    names = {"GIT": shared.repository.common, "REPO": top, "ORIGIN": top.parent / "origin.git"}
    sh(script, cwd, environ={name: str(path) for name, path in names.items()})


FOUND = {
    "git config user.email x@example.invalid": ["user.email"],
    "git config --add remote.origin.fetch +refs/x/*:refs/x/*": ["remote.origin.fetch"],
    "git config url.https://a:SECRET@example.invalid/.insteadOf x": [
        "url.https://example.invalid/.insteadof",
    ],
    f"git fetch -q; {COMMIT}; git tag -am words v1; git tag -d old": ["tag v1", "tag old"],
    f"{COMMIT}; git tag -f old; git branch -f spare; git branch new": [
        "branch new", "branch spare", "tag old",
    ],
    "git branch -D spare": ["branch spare"],
    f"git switch -q spare; {COMMIT}; git switch -q samocode/s": ["branch spare"],
    "git update-ref refs/heads/dev $(git commit-tree -m x HEAD^{tree})": ["branch dev"],
    "git notes add -m x": ["refs/notes/commits"],
    "chmod +x $GIT/hooks/pre-push; echo > $GIT/hooks/x": ["hooks/pre-push", "hooks/x"],
    "ln -s /bin/true $GIT/hooks/pre-commit; rm $GIT/hooks/pre-push": [
        "hooks/pre-commit", "hooks/pre-push",
    ],
    "ln -s pre-commit $GIT/hooks/": ["hooks/pre-commit"],
}  # fmt: skip
"""What a child does in its worktree, and the names that are reported."""


@pytest.mark.parametrize("script", FOUND)
def test_what_a_child_does_to_others_is_seen(shared: Shared, script: str) -> None:
    """It is reported by name, without passwords in URLs."""
    assert shared.changed() == []
    act(shared, script, shared.tree)
    assert sorted(shared.changed()) == sorted(FOUND[script])


THEIRS = "rm -rf ../c; git clone -q $ORIGIN ../c; cd ../c; git commit -q --allow-empty -m theirs; "
SIDE_BY_SIDE = (
    COMMIT,
    f"git switch -q feature; {COMMIT}",
    f"{COMMIT}; git rebase -q main; git switch -q main",
    f"git switch -qc topic; {COMMIT}; git switch -q main; git merge -q topic; git branch -d topic",
    "git switch -q feature; git branch -m feature done; git switch -q main",
    f"git worktree add -q ../other spare; cd ../other; {COMMIT}",
    f"cd ../early; {COMMIT}; cd $REPO; git worktree remove ../early",
    "git push -q -u origin main; git config branch.main.description words",
    f"{THEIRS} git tag v2; git push -q origin HEAD v2; cd $REPO; git fetch -q",
    "git merge -q origin/main; git fetch -q",
    f"{THEIRS} git tag v3 HEAD^; git push -q origin v3; cd $REPO; git fetch -q; git fetch -q",
    f"{THEIRS} git push -q origin HEAD:dev; cd $REPO; git fetch -q origin dev:dev",
    "echo x >> a.py; git stash -q; git stash pop -q; echo y >> a.py; git stash -q",
    "git branch samocode/t; git worktree add -q ../t samocode/t; cd ../t; " + COMMIT,
    "git sparse-checkout set --cone .; git sparse-checkout disable",
    "git -c protocol.file.allow=always submodule --quiet add $ORIGIN lib; git submodule init",
    "git bisect start; git bisect bad; git bisect reset",
    "git maintenance run --task=prefetch --task=commit-graph; git config maintenance.auto false",
    "git worktree add -qb mine ../mine; rm -r ../mine; ln -s mine ../mine",
    "git gc -q --prune=now; git pack-refs --all --prune; echo > $GIT/hooks/x.sample",
)
"""What the user, other sessions and tools do during a session, one after the other."""


def test_what_others_do_is_not_reported(shared: Shared) -> None:
    """Nor does it hide what the child does."""
    for script in SIDE_BY_SIDE:
        act(shared, script, shared.repository.top)
        assert (script, shared.changed()) == (script, [])
    # words of its own: the same commit in the same second would be the one that was pushed
    own = "git commit -q --allow-empty -m 'of the child'"
    act(shared, f"{own}; git branch -f gone; git tag v1", shared.tree)
    assert shared.changed() == ["branch gone", "tag v1"]


def test_what_does_not_work_in_the_worktree(shared: Shared) -> None:
    """SETUP may check out the submodules. The lock of a killed git makes every commit fail; the
    printed command removes it."""
    (shared.tree / ".gitmodules").touch()
    assert shared.warnings("git submodule update --init") == []
    (warning,) = shared.warnings("")
    assert "has submodules" in warning
    (gitdir.of(shared.tree) / "index.lock").touch()
    (warning,) = shared.warnings("git submodule update --init")
    act(shared, f"{warning.partition('remove it: ')[2]}; {COMMIT}", shared.tree)
    assert shared.warnings("git submodule update --init") == []


def test_a_repository_that_git_cannot_read_is_not_reported(shared: Shared) -> None:
    shared.repository.top.rename(shared.repository.top.with_name("moved"))
    assert shared.changed() == []
