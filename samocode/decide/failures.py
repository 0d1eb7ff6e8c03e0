"""What ends a run without a signal: which API failures time does not mend, with the remedy for the
human. policy.py decides by these tables."""

from __future__ import annotations

from samocode.child.stream import RunResult

BLOCKING = {
    "authentication_failed": (
        "auth",
        "Claude is not logged in, or its key is refused. Run: claude auth login (or set a valid "
        "ANTHROPIC_API_KEY), then go on.",
    ),
    "cloud_credential_error": (
        "auth",
        "The cloud credentials that pay for Claude (Bedrock, Vertex, Foundry) are missing or have "
        "expired. Renew them (aws sso login, gcloud auth application-default login), then go on.",
    ),
    "billing_error": (
        "billing",
        "The account that pays for Claude has no credit. Top it up or change the login; go on.",
    ),
    "payer": (
        "payer",
        "Claude found an API key that is not in your environment, and that key would pay. Take it "
        "out of the settings.json it is in (env or apiKeyHelper; yours, or the project's .claude), "
        "or accept it with SAMOCODE_PAYER=key, then go on.",
    ),
    "mode": (
        "mode",
        "Claude runs in another permission mode than CLAUDE_PERMISSION_MODE asks for, because a "
        "settings.json forbids it (disableBypassPermissionsMode, disableAutoMode). Change the one "
        "or the other, then go on.",
    ),
    "model_not_found": (
        "model",
        "Claude does not know the model. Correct CLAUDE_MODEL or --model, then go on.",
    ),
    "invalid_request": (
        "invalid_request",
        "The API refuses the request for good; what Claude said names the reason (a spending cap, "
        "a request too large, a wrong flag in CLAUDE_ARGS).",
    ),
}
"""What time does not mend, by the class of an API failure or why the loop ended the run: (outcome,
remedy). A class named neither here nor below is transient."""
BROKEN = {
    "no_init": "claude did not start within its grace",
    "flood": "claude was ended: it wrote more than a gigabyte of output",
}
TOO_MUCH = {
    "error_max_turns": " It reached --max-turns.",
    "max_output_tokens": " Its answer exceeded the output limit (or the context window): read and "
    "write in smaller pieces.",
}
"""What a run was too long for (subtype or class, one for both limits): silence, no outage. Taken
for one, it was paid for forty times."""

UNKNOWN_FLAG = "error: unknown option"  # the CLI's words, on stderr (measured with 2.1.332)
PERMANENT_STATUSES = frozenset(range(400, 500)) - {408, 409, 429}
"""Most refused requests, spend limits among them, come with the class `unknown`: their status tells
(measured)."""


def error_class(run: RunResult) -> str | None:
    """What ended the run, by the CLI's own class; a permanent status beats a vague class."""
    if run.ended == "auth":
        return "authentication_failed"
    if run.ended in BLOCKING:
        return run.ended
    if run.error not in BLOCKING and run.status in PERMANENT_STATUSES:
        return "invalid_request"
    return run.error


def said(run: RunResult) -> str:
    """What Claude said of the failure."""
    if run.init and run.ended == "payer":
        return f"apiKeySource {run.init.key_source}"
    if run.init and run.ended == "mode":
        return f"permissionMode {run.init.mode}"
    return run.text[:300] or error_class(run) or ""
