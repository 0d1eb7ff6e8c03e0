"""What a child does, in short lines: its words, its tools, what failed, what took long."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

from samocode.child.stream import Event, content
from samocode.record.untrusted import items, mapping
from samocode.show.columns import one_line
from samocode.show.screen import DIM, RED, YELLOW
from samocode.show.text import span

LONG = 5.0  # seconds; the duration of a slower tool is shown
MOST_OPEN = 1000  # tools that are remembered; a flood has more
TOOL_INPUTS = (
    *("command", "file_path", "notebook_path", "pattern", "path", "url", "query"),
    *("description", "skill", "prompt"),
)
WORDS, TOOLS, AFTER = "  ", "    ", "      "  # how far lines are indented


class Shown(NamedTuple):
    """A line to show, and its colour."""

    text: str
    style: str = ""


class Tool(NamedTuple):
    """A tool that was called and has not answered yet."""

    name: str
    began: float
    denied: bool = False


@final
class ChildLines:
    """Makes lines of the events of one child. Folders in `known` are left out of paths."""

    def __init__(self, known: tuple[str, ...], clock: Callable[[], float]) -> None:
        self._clock = clock
        folders = "|".join(re.escape(folder) for folder in sorted(known, key=len, reverse=True))
        self._folders = re.compile(rf"(?:{folders})(?:/(?=[^\s'\";|&)])|/?(?![^\s'\";|&)]))")
        self._known = bool(known)
        self._tools: dict[str, Tool] = {}
        self._last = ""  # the tool whose line was the last one

    def of(self, event: Event) -> list[Shown]:
        """The lines for an event: none for most."""
        kind, subtype = event.get("type"), event.get("subtype")
        depth = "  " if event.get("parent_tool_use_id") else ""
        if kind == "system":
            return self._trouble(event, subtype)
        lines: list[Shown] = []
        if kind == "assistant":
            lines = [line for block in content(event) for line in self._said(block)]
        elif kind == "user":
            lines = [line for block in content(event) for line in self._answered(block)]
        return [line._replace(text=depth + line.text) for line in lines]

    def _trouble(self, event: Event, subtype: object) -> list[Shown]:
        if subtype == "api_retry":
            status = event.get("error_status") or event.get("error")
            which = f"try {event.get('attempt')} of {event.get('max_retries')}"
            return [Shown(f"{WORDS}the API failed ({status}), {which}", YELLOW)]
        if subtype == "model_fallback":
            return [Shown(f"{WORDS}the model is busy, another one takes over", YELLOW)]
        if subtype != "permission_denied":
            return []
        tool = str(event.get("tool_use_id"))
        if tool in self._tools:  # its answer says why, and comes next
            self._tools[tool] = self._tools[tool]._replace(denied=True)
            return []
        return [Shown(f"{TOOLS}permission denied: {event.get('tool_name')}", RED)]

    def _said(self, block: Mapping[str, Any]) -> list[Shown]:
        """The line for one block of a message."""
        if block.get("type") == "text":
            words = str(block.get("text", ""))[:2000].strip().split("\n")[0]
            self._last = ""
            return [Shown(WORDS + self._short(words))] if words else []
        if block.get("type") != "tool_use":
            return []
        given = self._short(argument(mapping(block.get("input")))).removeprefix("cd . && ")
        text = f"{block.get('name')} {given}"
        if len(self._tools) > MOST_OPEN:
            self._tools.clear()
        self._last = str(block.get("id"))
        self._tools[self._last] = Tool(text[:60], self._clock())
        return [Shown(TOOLS + text, DIM)]

    def _answered(self, block: Mapping[str, Any]) -> list[Shown]:
        """A line for a tool that failed or took long; it names the tool where another line came
        between."""
        number = str(block.get("tool_use_id"))
        tool = self._tools.pop(number, None)
        if tool is None or block.get("type") != "tool_result":
            return []
        took = self._clock() - tool.began
        failed, slow = block.get("is_error") is True, took >= LONG
        if not failed and not slow:
            return []
        name = "" if number == self._last else f"{tool.name}: "
        self._last = ""
        if not failed:
            return [Shown(f"{AFTER}{name}took {span(took)}", DIM)]
        how = "permission denied" if tool.denied else "failed"
        how += f" after {span(took)}" if slow else ""
        why = self._short(reason(block.get("content")))
        return [Shown(f"{AFTER}{name}{how}" + (f": {why}" if why else ""), RED)]

    def _short(self, text: str) -> str:
        if self._known:
            text = self._folders.sub(lambda m: "" if m[0].endswith("/") else ".", text[:4000])
        return one_line(text)


def argument(given: Mapping[str, Any]) -> str:
    """The most informative part of a tool's input."""
    shown = next((str(given[key])[:4000] for key in TOOL_INPUTS if given.get(key)), "")
    if given.get("pattern") and given.get("path"):
        shown += f" in {given['path']}"
    if not shown:  # a tool that nobody listed
        shown = next((text for text in given.values() if isinstance(text, str) and text), "")
    return shown[:4000]


def reason(said: object) -> str:
    """The first line of what a failed tool said."""
    texts = [said] if isinstance(said, str) else [mapping(b).get("text") for b in items(said)]
    words = " ".join(str(text)[:2000] for text in texts if text)
    words = re.sub(r"</?tool_use_error>", "", words).strip()
    return words.split("\n")[0]
