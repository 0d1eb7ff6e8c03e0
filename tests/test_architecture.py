"""The house (CONTRIBUTING.md): imports go down, one door to each outside thing, small rooms."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT

LAYERS = (
    "errors clone timing stop outside files settled keys fences processtable",
    "processes questions values signals events git cli",
    "project past watch worktrees",
    "config history",
    "claude session telegram",
    "snapshot decision approval setup hook",
    "task",
    "sessions",
    "policy view",
    "iteration messenger",
    "gate",
    "demo",
    "main",
)
"""From the ground up: a module imports only from the rows before its own."""
LEAVES = {"view", "telegram", "messenger", "demo", "hook"}
"""Take one away and the loop still runs: no module of the core knows it."""
MAY_USE_A_LEAF = {"main": LEAVES, "messenger": {"view", "telegram"}}
DOORS = {
    "subprocess": {"git", "processes", "processtable", "watch", "demo"},  # watch only names Popen
    "requests": {"telegram"},
    "fcntl": {"sessions"},
    "ctypes": {"processes"},
    "argparse": {"cli", "demo"},  # the stand-in reads the flags that claude would
    "dotenv": {"values"},
}
"""What only these modules may import."""
ONLY_IN = {"os.environ": {"clone"}, "os.getenv": set[str](), "sys.argv": {"main", "clone"}}
CHANGES_WORK = {
    "reset",
    "clean",
    "stash",
    "checkout",
    "switch",
    "commit",
    "push",
    "rebase",
    "merge",
    "gc",
    "prune",
    "rm",
}
MOST_LINES, MOST_IN_A_FUNCTION, MEDIAN = (
    250,
    40,
    8,
)  # code, without blank lines, comments, docstrings

FILES = [
    ROOT / "main.py",
    *sorted((ROOT / "samocode").glob("*.py")),
    *sorted((ROOT / "samocode/demo").glob("*.py")),
]
FILES.remove(ROOT / "samocode" / "__init__.py")


def module(path: Path) -> str:
    """A file's name among the layers; the demo is one room."""
    return "demo" if path.parent.name == "demo" else path.stem


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


def own(path: Path) -> set[str]:
    """The modules of this house that a file imports."""
    names = {name.split(".")[1] for name in imported(path) if name.startswith("samocode.")}
    return names - {"__version__", module(path)}


def attributes(path: Path) -> set[str]:
    """Every `name.attribute` of a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {
        ast.unparse(n)
        for n in nodes
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }


def test_imports_go_down() -> None:
    height = {name: row for row, names in enumerate(LAYERS) for name in names.split()}
    assert {module(path) for path in FILES} == set(height), "a new module needs its row"
    wrong = [
        f"{module(path)} (row {height[module(path)]}) imports {name} (row {height[name]})"
        for path in FILES
        for name in sorted(own(path))
        if height[name] >= height[module(path)]
    ]
    assert wrong == []


def test_the_core_knows_no_leaf() -> None:
    for path in FILES:
        if module(path) not in LEAVES - {"messenger"}:
            assert own(path) & LEAVES <= MAY_USE_A_LEAF.get(module(path), set()), path


@pytest.mark.parametrize("thing", DOORS)
def test_one_door_to_each_outside_thing(thing: str) -> None:
    users = {
        module(path) for path in FILES if thing in {name.split(".")[0] for name in imported(path)}
    }
    assert users <= DOORS[thing]


def test_watch_only_names_a_process() -> None:
    uses = {
        name
        for name in attributes(ROOT / "samocode" / "watch.py")
        if name.startswith("subprocess.")
    }
    assert uses <= {"subprocess.Popen"}
    tree = ast.parse((ROOT / "samocode" / "watch.py").read_text())
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not {name for name in calls if name.startswith(("subprocess.", "os.system", "os.exec"))}


@pytest.mark.parametrize("thing", ONLY_IN)
def test_the_process_is_looked_at_in_one_place(thing: str) -> None:
    assert {module(path) for path in FILES if thing in attributes(path)} <= ONLY_IN[thing]


def test_git_is_asked_nothing_that_changes_the_users_work() -> None:
    """The only git command that writes is `worktree add`."""
    tree = ast.parse((ROOT / "samocode" / "git.py").read_text())
    words = {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    assert not words & CHANGES_WORK


def test_one_exception_handler_takes_everything() -> None:
    """At the top, and it raises again: a bug shows its traceback."""
    found: list[tuple[str, ast.ExceptHandler]] = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                kind = ast.unparse(node.type) if node.type else ""
                if kind in ("", "Exception", "BaseException"):
                    found.append((module(path), node))
    ((where, handler),) = found
    assert where == "main" and isinstance(handler.body[-1], ast.Raise)


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
    for path in (ROOT / "main.py", ROOT / "samocode/clone.py", ROOT / "samocode/__init__.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 6))
        assert "__future__" not in imported(path), "annotations came with 3.7"
        if path.name == "clone.py":
            found = [n.returns for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
            assert all(isinstance(n, ast.Constant) for n in found), "dict[...] works from 3.9 on"


def code_lines(path: Path) -> int:
    """Lines that say something to the computer."""
    return len(ast.unparse(_bare(ast.parse(path.read_text()))).splitlines())


def _bare(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            body = [
                n
                for n in node.body
                if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
            ]
            node.body = body or [ast.Pass()]
    return tree


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a file with its lines, docstring included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield f"{module(path)}.{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def test_small_rooms() -> None:
    assert [path.name for path in FILES if code_lines(path) > MOST_LINES] == []
    lines = dict(found for path in FILES for found in functions(path))
    assert {name: n for name, n in lines.items() if n > MOST_IN_A_FUNCTION} == {}
    assert statistics.median(lines.values()) <= MEDIAN
