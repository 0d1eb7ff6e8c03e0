"""Measure the code: its size, its imports, and the calls between modules during the demo.

A room is a folder in samocode/, or a module outside these folders. `calls` counts every call from
one module to another. It includes polling and so depends on time. `pairs` counts distinct (calling
function, called function), `switches` distinct (calling line, called function): both are stable.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import runpy
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

LEAVES = "terminal telegram show check demo"
SETTINGS = "settings"  # not a leaf, but not counted as core
FORMER = "view messenger keys values project config cli clone timing"  # the same before packages
FOREIGN = ("CLAUDE", "ANTHROPIC", "AI_AGENT", "TELEGRAM", "SAMOCODE", "GIT_", "XDG_")
CHILD = {"-p", "--output-format"}  # only the child's command line has these
Graph = dict[str, set[str]]
Calls = Counter[tuple[str, str, int, str, str]]
"""Number of calls: calling module, function and line; called module and function."""


class Module(NamedTuple):
    """One source file. Lines are counted as by `wc -l`."""

    name: str
    room: str
    path: Path
    lines: int
    core: bool
    nodes: list[ast.AST]


def modules(tree: Path) -> dict[str, Module]:
    """Return all modules by dotted name, without the demo's project."""
    found: dict[str, Module] = {}
    for path in (tree / "main.py", *sorted((tree / "samocode").rglob("*.py"))):
        parts, text = path.relative_to(tree).parts, path.read_bytes()
        if parts[:3] != ("samocode", "demo", "project"):
            name = ".".join(parts).removesuffix(".py").removesuffix(".__init__")
            room, nodes = (parts[1:] or parts)[0], list(ast.walk(ast.parse(text)))
            core = room.removesuffix(".py") not in f"{LEAVES} {SETTINGS} {FORMER}".split()
            found[name] = Module(name, room, path, text.count(b"\n"), core, nodes)
    return found


def imports(module: Module, house: Mapping[str, Module]) -> tuple[set[str], set[str]]:
    """Return the modules that a module imports, and those it imports only for TYPE_CHECKING."""
    tests = [node for node in module.nodes if isinstance(node, ast.If)]
    blocks = [ast.walk(node) for node in tests if "TYPE_CHECKING" in ast.unparse(node.test)]
    unreal, found = {node for block in blocks for node in block}, (set[str](), set[str]())
    for node in module.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            base = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            assert isinstance(node, ast.Import) or not node.level, f"relative: {module.path}"
            names = {f"{base}.{alias.name}".lstrip(".") for alias in node.names}
            named = {name if name in house else base for name in names} & house.keys()
            found[node in unreal].update(named - {module.name})
    return found[0], found[1] - found[0]


def ways_down(graph: Graph) -> dict[str, tuple[frozenset[str], ...]]:
    """Return the longest import path from each node. A cycle counts as one step."""
    reach = {node: {node, *below} for node, below in graph.items()}
    for via in graph:
        for below in reach.values():
            below |= reach[via] if via in below else set()
    ways: dict[str, tuple[frozenset[str], ...]] = {}
    for node in sorted(graph, key=lambda node: (len(reach[node]), node)):
        home = frozenset(other for other in reach[node] if node in reach[other])
        lower = [ways[b] for a in sorted(home) for b in sorted(graph[a] - home)]
        ways[node] = (home, *max(lower, key=len, default=()))
    return ways


def tower(graph: Graph) -> tuple[int, int, str, str]:
    """Return the number of edges and of floors, the cycles, and the longest path."""
    ways = ways_down(graph).values()
    cycles = {" = ".join(sorted(way[0])) for way in ways if len(way[0]) > 1} or {"none"}
    way = " > ".join("=".join(sorted(step)) for step in max(ways, key=len))
    return sum(map(len, graph.values())), max(map(len, ways)), "; ".join(sorted(cycles)), way


def size(part: Iterable[Module]) -> Sequence[object]:
    """Return lines, files, longest file, longest function, and how many exceed the limits."""
    files = sorted((module.lines, module.name) for module in part)
    nodes = [(module.name, node) for module in part for node in module.nodes]
    found = [(a, n) for a, n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    functions = sorted(((n.end_lineno or 0) - n.lineno + 1, f"{a}.{n.name}") for a, n in found)
    ends = [f"{name} {n}" for n, name in (max(files), max(functions, default=(0, "none")))]
    over = [sum(n > 40 for n, _ in functions), sum(n > 250 for n, _ in files)]
    return (sum(lines for lines, _ in files), len(files), *ends, *over)


def table(title: str, *rows: Sequence[object]) -> None:
    """Print aligned rows."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    print(f"\n{title}")
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)]
        print(f"  {'  '.join(cells)}".rstrip())


def show(house: Mapping[str, Module]) -> None:
    """Print the size of the code, the rooms, and the imports."""
    core = [module for module in house.values() if module.core]
    flat = [module for module in house.values() if module.path.parent.name == "samocode"]
    ends = ("longest file", "longest function", "functions > 40", "files > 250")
    parts = {"all": house.values(), "core": core, "samocode/*.py": flat}
    table("size", ("", "lines", "files", *ends), *((n, *size(p)) for n, p in parts.items()))
    found = {name: imports(module, house) for name, module in house.items()}
    graph = {name: real for name, (real, _) in found.items()}
    rooms: Graph = {module.room: set() for module in house.values()}
    for name, real in graph.items():
        rooms[house[name].room] |= {house[other].room for other in real} - {house[name].room}
    floor = {room: len(way) for room, way in ways_down(rooms).items()}
    rows: list[Sequence[object]] = [("room", "", "files", "lines", "floor", "imports")]
    for room in sorted(rooms, key=lambda room: (-floor[room], room)):
        inside = [module for module in house.values() if module.room == room]
        kind = "core" if inside[0].core else "leaf" if room in LEAVES.split() else ""
        lines = sum(m.lines for m in inside)
        rows.append((room, kind, len(inside), lines, floor[room], " ".join(sorted(rooms[room]))))
    table("rooms, from the top floor down", *rows)
    towers = ("modules", *tower(graph)), ("rooms", *tower(rooms))
    table("imports", ("", "edges", "floors", "cycles", "the longest way down"), *towers)
    print("  besides, for TYPE_CHECKING only:", sum(len(unreal) for _, unreal in found.values()))


def record(tree: Path, out: Path) -> None:
    """Play the demo of a tree and count its calls. A lambda counts as its enclosing function."""
    house = {str(module.path): name for name, module in modules(tree).items()}
    iterations = [Calls()]

    def look(frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        code, caller = frame.f_code, frame.f_back
        if code.co_qualname == "Popen.__init__" and CHILD.issubset(frame.f_locals["args"]):
            iterations.append(Calls())
        if code.co_filename not in house or code.co_name == "<module>":
            return
        while caller and caller.f_code.co_filename not in house:  # skip the standard library
            caller = caller.f_back
        if caller and caller.f_code.co_filename != code.co_filename:
            names = [c.co_qualname.split(".<locals>.<")[0] for c in (caller.f_code, code)]
            here, there = house[caller.f_code.co_filename], house[code.co_filename]
            iterations[-1][here, names[0], caller.f_lineno, there, names[1]] += 1

    sys.path[0], sys.argv = str(tree), ["main.py", "--demo"]
    threading.setprofile(look)
    sys.setprofile(look)
    try:
        runpy.run_path(str(tree / "main.py"), run_name="__main__")
    finally:
        sys.setprofile(None)
        out.write_text(json.dumps([list(calls.items()) for calls in iterations]))


def play(tree: Path) -> list[Calls]:
    """Count the calls of the demo in a copy of the tree: before the first child, then per child."""
    with tempfile.TemporaryDirectory(prefix="samocode-house-") as folder:
        top = Path(folder).resolve()
        copy, out = top / "tree", top / "calls.json"
        left = shutil.ignore_patterns(".*", "__pycache__", "node_modules")
        shutil.copytree(tree, copy, symlinks=True, ignore=left)
        env = {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}
        env |= {"HOME": str(top), "CLAUDE_CONFIG_DIR": str(top / "claude")}
        command = [sys.executable, str(Path(__file__).resolve()), str(copy), "--record", str(out)]
        none = subprocess.DEVNULL
        ran = subprocess.run(command, env=env, stdin=none, capture_output=True, text=True)
        if ran.returncode or not out.exists():
            sys.exit(f"{ran.stdout}{ran.stderr}The demo ended with {ran.returncode}.")
        told = json.loads(out.read_text())
    return [Calls({tuple(call): times for call, times in calls}) for calls in told]


def show_demo(house: Mapping[str, Module], iterations: Sequence[Calls]) -> None:
    """Print the calls between modules per iteration, and their median."""
    rows: list[list[int]] = []
    for number, calls in enumerate(iterations):
        far = sum(house[call[0]].room != house[call[3]].room for call in calls)
        pairs, entered = {(*call[:2], *call[3:]) for call in calls}, {call[3] for call in calls}
        rows.append([number, calls.total(), len(pairs), len(calls), far, len(entered)])
    assert len(rows) > 3, "the demo was not seen to spawn its child again and again"
    usual = [statistics.median(column) for column in list(zip(*rows[1:-1], strict=True))[1:]]
    heads = ("", "calls", "pairs", "switches", "room switches", "modules entered")
    title = "the demo: calls from module to module; 0: before the first spawn of the child"
    table(title, heads, *rows, ("median without the first and the last", *usual))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", nargs="?", type=Path, default=Path(__file__).parent.parent)
    parser.add_argument("--demo", action="store_true", help="count the calls of the demo, too")
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)  # used by --demo
    options = parser.parse_args()
    tree: Path = options.tree.resolve()
    if options.record:
        return record(tree, options.record)
    show(house := modules(tree))
    if options.demo:
        show_demo(house, play(tree))


if __name__ == "__main__":
    main()
