"""Fixtures: a stage with the real clock, and terminals."""

from collections.abc import Iterator

import pytest

from tests.outer.screens import Open, Terminal
from tests.outer.stage import Stage


@pytest.fixture
def stage(quick: Stage) -> Stage:
    """The same as `quick`, with the clock of main.py."""
    quick.fast = False
    return quick


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
