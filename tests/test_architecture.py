"""The architecture (CONTRIBUTING.md): imports go down, each outside thing is used only in the rooms
that DOORS names, small files, and leaves that the loop can run without. A room is a folder or a
single module."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outer.stage import ROOT, Stage

FLOORS = (
    "record",
    "settings git pages",
    "child",
    "decide",
    "session",
    "task lock",
    "sessions",
    "naming",
    "gate verify",
    "iteration",
    "prepare",
    "terminal telegram",
    "show",
    "check",
    "demo",
    "main",
)
"""From the lowest floor up. A room imports only from itself and from rooms on lower floors."""
DOORS: dict[str, set[str]] = {
    "subprocess": {"git", "child", "demo"},
    "requests": {"telegram"},
    "fcntl": {"lock", "child", "telegram"},
    "ctypes": {"child"},
    "termios": {"terminal"},
    "argparse": {"settings", "demo"},  # the stand-in reads claude's flags
    "dotenv": {"settings"},
    "os.environ": {"settings"},
    "os.getenv": set(),
    "sys.argv": {"settings", "main"},
}
"""The rooms that may use each outside thing."""
MOST_LINES, MOST_IN_MAIN, MOST_IN_A_FUNCTION = 250, 180, 40

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
    """Every module that a file imports, at its top or in a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "samocode":
            yield from (f"samocode.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def rooms_below(path: Path) -> set[str]:
    """The other rooms that a file imports from."""
    names = {name.split(".")[1] for name in imported(path) if name.startswith("samocode.")}
    return names - {"__version__", room(path)}


def attributes(path: Path) -> set[str]:
    """Every `name.attribute` of a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    found = (n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name))
    return {ast.unparse(node) for node in found}


def test_imports_go_down() -> None:
    """And there is no import cycle within a room."""
    height = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
    assert {room(path) for path in FILES} == set(height), "a new room needs its floor"
    wrong = [
        f"{path.relative_to(ROOT)} imports from {name}"
        for path in FILES
        for name in sorted(rooms_below(path))
        if height[name] >= height[room(path)]
    ]
    assert wrong == []
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES}
    left = {name: set(imported(path)) & set(modules) for name, path in modules.items()}
    while ready := {name for name, needs in left.items() if not needs & set(left)}:
        left = {name: needs for name, needs in left.items() if name not in ready}
    assert left == {}


@pytest.mark.parametrize("leaf", ["terminal", "telegram", "check", "demo", "show"])
def test_the_loop_runs_without_a_leaf(tmp_path: Path, stage: Stage, leaf: str) -> None:
    """Each leaf can be deleted. `show` is replaced by a silent object."""
    stage.fast, stage.main = False, ROOT / "tests/fakes/silent.py"
    if leaf != "show":
        shutil.copytree(ROOT / "samocode", tmp_path / "house/samocode")
        shutil.rmtree(tmp_path / "house/samocode" / leaf)
        shutil.copy(ROOT / "workflow.md", tmp_path / "house")
        stage.main = Path(shutil.copy(ROOT / "main.py", tmp_path / "house"))
    stage.script("signal('done', summary='It works.')")
    ended = stage.begin()
    assert (ended.code, ended.err) == (0, ""), ended.out
    assert (ended.out == "") == (leaf == "show") and stage.outcomes == ["done"]


@pytest.mark.parametrize("thing", DOORS)
def test_one_door_to_each_outside_thing(thing: str) -> None:
    for path in FILES:
        packages = {name.split(".")[0] for name in imported(path)}
        assert thing not in packages | attributes(path) or room(path) in DOORS[thing], path


def test_nothing_happens_at_import() -> None:
    """A module has only definitions and constants. main.py also checks the version of Python."""
    quiet = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            shown = ast.unparse(node).splitlines()[0]
            started = shown in ("if __name__ == '__main__':", "if TYPE_CHECKING:", "need_python()")
            assert isinstance(node, quiet) or text or started, f"{path}: {shown}"


def test_an_old_python_gets_the_message_about_its_version() -> None:
    """Python 3.6 can parse main.py and what it imports before need_python()."""
    clone = ROOT / "samocode/settings/clone.py"
    early = [ROOT / "samocode/__init__.py", ROOT / "samocode/settings/__init__.py"]
    for path in (ROOT / "main.py", clone, *early):
        tree = ast.parse(path.read_text(), feature_version=(3, 6))
        assert "__future__" not in imported(path), "annotations came with 3.7"
        if path == clone:
            found = [n.returns for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
            assert all(isinstance(n, ast.Constant) for n in found), "dict[...] works from 3.9 on"


def test_small_files_and_functions() -> None:
    """No file and no function has more lines than allowed, counted as by `wc -l`."""
    most = {ROOT / "main.py": MOST_IN_MAIN}
    for path in FILES:
        text = path.read_text()
        assert text.count("\n") <= most.get(path, MOST_LINES), path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                assert lines <= MOST_IN_A_FUNCTION, f"{path}: {node.name}"
