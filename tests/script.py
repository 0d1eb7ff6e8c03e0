"""What a script reads from a request, and how it chooses the reply."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.replies import Reply, Text

Request = dict[str, Any]
Answer = Callable[[Request], Reply]
Turns = Mapping[int, Sequence[Reply | Answer]]

NOTHING = Text("Nothing to report.")


def said(request: Request) -> int:
    """The number of answers in this conversation, which is the index of the next turn."""
    return sum(message["role"] == "assistant" for message in request["messages"])


def from_helper(request: Request) -> bool:
    """Whether a helper (the Agent tool) asks, and not the main conversation."""
    return "cc_is_subagent=true" in json.dumps(request.get("system", []))


def tool_results(request: Request) -> list[str]:
    """The text of every tool result in the conversation, oldest first."""
    contents = [m["content"] for m in request["messages"] if isinstance(m["content"], list)]
    blocks = [block for content in contents for block in content]
    found = [block["content"] for block in blocks if block.get("type") == "tool_result"]
    return [result if isinstance(result, str) else json.dumps(result) for result in found]


def iteration_on_disk(sessions: Path, name: str) -> Callable[[], int]:
    """Return a function that reads the number of the running iteration of session `name`."""

    def read() -> int:
        (found,) = sessions.glob(f"*-{name}/_iteration.json")
        return int(json.loads(found.read_text())["iteration"])

    return read


@dataclass(frozen=True)
class SessionScript:
    """A whole session: the turns of claude for each iteration number. After its last turn a child
    only says that it is done. Stateless: the turn comes from the conversation."""

    iterations: Turns
    current: Callable[[], int]
    helper: Reply = NOTHING

    def __call__(self, request: Request) -> Reply:
        if from_helper(request):
            return self.helper
        turns = self.iterations[self.current()]
        turn = turns[said(request)] if said(request) < len(turns) else Text("I am done.")
        return turn(request) if callable(turn) else turn


def in_order(turns: Sequence[Reply]) -> Answer:
    """One reply per request; the last one repeats, for the CLI's retries."""
    numbers = count()
    return lambda _: turns[min(next(numbers), len(turns) - 1)]
