"""The numbers and words that workflow.md and the command files state, as tables."""

from __future__ import annotations

import re

LEGAL = {
    "investigation": {"continue investigation", "continue requirements", "done", "blocked"},
    "requirements": {
        "waiting qa_answers", "continue planning", "continue investigation", "done", "blocked",
    },
    "planning": {
        "waiting plan_approval", "waiting qa_answers", "continue requirements", "blocked",
    },
    "implementation": {
        "continue implementation", "continue testing", "continue planning",
        "waiting human_action", "blocked",
    },
    "testing": {"continue quality", "continue implementation", "continue done", "blocked"},
    "quality": {"continue quality", "continue testing", "continue done", "blocked"},
    "done": {"done", "blocked"},
}  # fmt: skip
DOP2 = frozenset({"solution", "comparison"})
KINDS: dict[str, tuple[frozenset[str], ...]] = {
    "investigation": (frozenset({"dive"}),),
    "requirements": (frozenset({"requirements"}),),
    "planning": (frozenset({"plan"}),),
    "implementation": (
        frozenset({"phase"}), frozenset({"do"}), frozenset({"phase"}) | DOP2,
        DOP2, frozenset({"do"}) | DOP2,
    ),
    "testing": (frozenset({"test"}),),
    "quality": (frozenset({"review"}), frozenset({"cleanup"}), frozenset({"do"}), DOP2),
    "done": (frozenset({"summary"}),),
}  # fmt: skip
LINES = {
    "dive": 120, "requirements": 80, "plan": 250, "solution": 80, "comparison": 30,
    "phase": 60, "do": 60, "test": 60, "review": 60, "cleanup": 60, "summary": 60,
}  # fmt: skip
SLOTS: dict[str, tuple[str, ...]] = {
    "dive": (
        "# Dive", "Commit:", "## Short answer", "## How it works", "Error path", "## Conventions",
        "## How it is checked", "## Risks", "## Unknowns",
    ),
    "requirements": (
        "# Requirements", "Sources:", "## Goal", "## Requirements", "R1:", "Check:",
        "## Out of scope", "## Assumptions",
    ),
    "plan": (
        "# Plan", "## Goal", "Approach:", "## Requirements", "R1", "## Out of scope", "## Context",
        "## Phase 1", "## Notes",
    ),
    "phase": ("# Phase", "Commits:", "## Done", "## Proof", "Done when", "## Departures"),
    "phase of dop2": ("# Phase", "Commits:", "Chosen:", "## Proof", "Done when", "## Departures"),
    "solution": (),
    "comparison": ("| A", "| B"),
    "do": ("# Do", "## What changed", "## Checks", "## Not done"),
    "test": ("R1",),
    "review": ("# Review", "Range:", "Verdict:", "## Findings", "## Requirements", "## Checks"),
    "cleanup": ("# Cleanup", "Range:", "Looked for:", "## Findings"),
    "summary": ("R1",),
}  # fmt: skip
PHASE_SLOTS = ("Mode:", "Covers:", "Files:", "Interfaces:", "- [", "Verify:", "Done when:")
PLACEHOLDER = re.compile(r"\bTBD\b|similar to phase|handle edge cases|\bas needed\b", re.I)
MAX_OVERVIEW = 8192  # bytes
NEAR = 300  # seconds to the deadline in which nothing is begun
MAX_QUESTIONS = 5
