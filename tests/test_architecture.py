"""The house (CONTRIBUTING.md): imports go down, one door to each outside thing, small rooms, and
leaves that the loop can do without."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT, Project

FLOORS = (
    "record",
    "settings git pages",
    "child",
    "decide",
    "session",
    "task lock",
    "sessions",
    "gate verify",
    "iteration",
    "prepare",
    "terminal telegram",
    "show",
    "demo",
    "main",
)
"""From the ground up: a room imports from its own floor's own room and from the floors below."""
LEAVES = {"terminal", "telegram", "show", "demo"}
DOORS = {
    "subprocess": {"git", "child", "demo"},
    "requests": {"telegram"},
    "fcntl": {"lock", "child"},
    "ctypes": {"child"},
    "termios": {"terminal"},
    "argparse": {"settings", "demo"},  # the stand-in reads the flags that claude would
    "dotenv": {"settings"},
}
"""Which rooms may import it."""
ONLY_IN = {
    "os.environ": {"settings"},
    "os.getenv": set[str](),
    "sys.argv": {"settings", "main"},
}
CHANGES_WORK = {
    *("reset", "clean", "stash", "checkout", "switch", "commit"),
    *("push", "rebase", "merge", "gc", "prune", "rm"),
}
MOST_LINES, MOST_IN_A_FUNCTION = 250, 40

FILES = [
    ROOT / "main.py",
    *(
        path
        for path in sorted((ROOT / "samocode").rglob("*.py"))
        if "project" not in path.parts and path != ROOT / "samocode/__init__.py"
    ),
]


def room(path: Path) -> str:
    """The folder below samocode/, or the module's own name."""
    return path.stem if path.parent in (ROOT, ROOT / "samocode") else path.parent.name


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, at the top or later."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "samocode":
            yield from (f"samocode.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def rooms_below(path: Path) -> set[str]:
    """The other rooms of this house that a file imports from."""
    names = {name.split(".")[1] for name in imported(path) if name.startswith("samocode.")}
    return names - {"__version__", room(path)}


def attributes(path: Path) -> set[str]:
    """Every `name.attribute` of a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    found = (n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name))
    return {ast.unparse(node) for node in found}


def test_imports_go_down() -> None:
    height = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
    assert {room(path) for path in FILES} == set(height), "a new room needs its floor"
    wrong = [
        f"{path.relative_to(ROOT)} imports from {name}"
        for path in FILES
        for name in sorted(rooms_below(path))
        if height[name] >= height[room(path)]
    ]
    assert wrong == []


def test_modules_of_a_room_import_each_other_in_one_direction() -> None:
    """No circles, in a room or between rooms."""
    own = {
        path: {name for name in imported(path) if name.startswith("samocode.")} for path in FILES
    }
    names = {
        path: "samocode." + ".".join(path.relative_to(ROOT / "samocode").with_suffix("").parts)
        for path in FILES
        if path != ROOT / "main.py"
    }
    left = {names[path]: own[path] & set(names.values()) for path in names}
    while ready := {name for name, needs in left.items() if not needs & set(left)}:
        left = {name: needs for name, needs in left.items() if name not in ready}
    assert left == {}


def test_the_core_knows_no_leaf() -> None:
    for path in FILES:
        if room(path) not in LEAVES | {"main"}:
            assert rooms_below(path) & LEAVES == set(), path
    for node in ast.parse((ROOT / "main.py").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.module.split(".")[-1] not in LEAVES, "main imports a leaf when it needs it"


@pytest.mark.parametrize("leaf", ["terminal", "telegram", "demo"])
def test_the_loop_runs_without_a_leaf(tmp_path: Path, repo: Path, leaf: str) -> None:
    house = tmp_path / "house"
    house.mkdir()
    shutil.copy(ROOT / "main.py", house)
    shutil.copy(ROOT / "workflow.md", house)
    shutil.copytree(ROOT / "samocode", house / "samocode")
    shutil.rmtree(house / "samocode" / leaf)
    project = Project(tmp_path, repo)
    project.script("signal('done', summary='It works.')")
    ended = subprocess.run(
        [sys.executable, str(house / "main.py"), *project.command("--task", "t")[2:]],
        env=project.environ(), cwd=tmp_path, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout


def test_the_loop_runs_without_the_show(tmp_path: Path, repo: Path) -> None:
    """Handed something silent in its place."""
    project = Project(tmp_path, repo)
    project.script("signal('done', summary='It works.')")
    ended = subprocess.run(
        [sys.executable, str(ROOT / "tests/fakes/silent.py"), *project.command("--task", "t")[2:]],
        env=project.environ(), cwd=tmp_path, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "")
    assert project.outcomes() == ["done"]


@pytest.mark.parametrize("thing", DOORS)
def test_one_door_to_each_outside_thing(thing: str) -> None:
    users = {
        room(path) for path in FILES if thing in {name.split(".")[0] for name in imported(path)}
    }
    assert users <= DOORS[thing]


@pytest.mark.parametrize("thing", ONLY_IN)
def test_the_process_is_looked_at_in_one_place(thing: str) -> None:
    assert {room(path) for path in FILES if thing in attributes(path)} <= ONLY_IN[thing]


def test_git_is_asked_nothing_that_changes_the_users_work() -> None:
    """Only worktree.py writes: a session's own branch and worktree. It also names commands for a
    person to run."""
    for path in FILES:
        if room(path) == "git" and path.name != "worktree.py":
            nodes = ast.walk(ast.parse(path.read_text()))
            words = {n.value for n in nodes if isinstance(n, ast.Constant)}
            assert not words & CHANGES_WORK, path


def test_one_exception_handler_takes_everything() -> None:
    """In main.py, and it raises a bug again: a bug shows its traceback."""
    found: list[tuple[str, ast.ExceptHandler]] = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                kind = ast.unparse(node.type) if node.type else ""
                if kind in ("", "Exception", "BaseException"):
                    found.append((room(path), node))
    ((where, handler),) = found
    assert where == "main" and any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def test_nothing_is_set_on_an_object_after_its_constructor() -> None:
    """But by its own methods, and by the fold on the state that it builds."""
    for path in FILES:
        if path == ROOT / "samocode/record/fold.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AugAssign) else targets
            for target in targets:
                for part in ast.walk(target):
                    if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
                        owner = ast.unparse(part.value)
                        assert owner in ("self", "sys"), f"{path}: {ast.unparse(node)}"


def test_exit_codes_have_names() -> None:
    """Nobody writes the numbers of ExitCode where a Stop or an error is made."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Stop", "UserError"):
                values = [*node.args[:1], *(k.value for k in node.keywords)]
                numbers = [v for v in values if isinstance(v, ast.Constant)]
                assert not [v for v in numbers if isinstance(v.value, int)], path


def test_nothing_happens_at_import() -> None:
    """But definitions, constants, and main's look at its python."""
    quiet = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            shown = ast.unparse(node).splitlines()[0]
            started = shown in ("if __name__ == '__main__':", "if TYPE_CHECKING:", "need_python()")
            assert isinstance(node, quiet) or text or started, f"{path}: {shown}"


def test_an_old_python_comes_as_far_as_the_sentence_for_it() -> None:
    """main.py and what it imports before need_python(), by Python 3.6: no SyntaxError."""
    clone = ROOT / "samocode/settings/clone.py"
    early = [ROOT / "samocode/__init__.py", ROOT / "samocode/settings/__init__.py"]
    for path in (ROOT / "main.py", clone, *early):
        tree = ast.parse(path.read_text(), feature_version=(3, 6))
        assert "__future__" not in imported(path), "annotations came with 3.7"
        if path == clone:
            found = [n.returns for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
            assert all(isinstance(n, ast.Constant) for n in found), "dict[...] works from 3.9 on"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a file with its lines, as `wc -l` counts them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield f"{path.name}: {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_small_rooms() -> None:
    """Real lines: a long file is long, whatever its lines are."""
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in FILES}
    assert {name: n for name, n in lines.items() if n > MOST_LINES} == {}
    long = {name: n for path in FILES for name, n in functions(path) if n > MOST_IN_A_FUNCTION}
    assert long == {}
    assert lines["main.py"] <= 180
