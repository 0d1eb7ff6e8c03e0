"""A stage for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outer.screens import Open, Terminal
from tests.outer.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A project with a small repository; at its end nothing of it runs on."""
    made = Stage(tmp_path / "project").with_git()
    yield made
    made.close()


@pytest.fixture
def quick(stage: Stage) -> Stage:
    """The same with a fast clock, for tests whose waits at the gate would add up."""
    stage.fast = True
    return stage


@pytest.fixture
def at(quick: Stage) -> Iterator[Open]:
    """Opens a terminal with the loop of the stage in it."""
    opened: list[Terminal] = []

    def terminal(columns: int = 80, *args: str, after: str = "") -> Terminal:
        opened.append(Terminal(quick, columns, "--task", "build it", *args, after=after))
        return opened[-1]

    yield terminal
    for one in opened:
        one.close()
