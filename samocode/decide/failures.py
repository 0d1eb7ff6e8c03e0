"""Classify why a run ended without a signal, by what the CLI reports."""

from __future__ import annotations

from samocode.child.stream import RunResult

BLOCKING = {
    "authentication_failed": ("auth", "Claude is not logged in, or its key is refused. Run: "
        "claude auth login (or set a valid ANTHROPIC_API_KEY)."),
    "cloud_credential_error": ("auth", "The cloud credentials that pay for Claude (Bedrock, "
        "Vertex, Foundry) are missing or have expired. Renew them (aws sso login, gcloud auth "
        "application-default login)."),
    "billing_error": ("billing", "The account that pays for Claude has no credit. Top it up or "
        "change the login."),
    "payer": ("payer", "Claude found an API key that is not in your environment, and that key "
        "would pay. Take it out of the settings.json it is in (env or apiKeyHelper; yours, or the "
        "project's .claude), or accept it with SAMOCODE_PAYER=key."),
    "mode": ("mode", "Claude runs in another permission mode than CLAUDE_PERMISSION_MODE asks for, "
        "because a settings.json forbids it (disableBypassPermissionsMode, disableAutoMode). "
        "Change CLAUDE_PERMISSION_MODE, or remove that entry from the settings.json."),
    "model_not_found": ("model", "Claude does not know the model. Correct CLAUDE_MODEL, "
        "SAMOCODE_PHASE_MODELS or --model."),
    "invalid_request": ("invalid_request", "The request is refused, and waiting does not help. The "
        "reason may be a spending cap, a request that is too large, or a flag in CLAUDE_ARGS."),
}  # fmt: skip
"""Failures that waiting does not fix, by error class or EndReason: (outcome, remedy)."""
BLOCKING["auth"] = BLOCKING["authentication_failed"]  # ended by the loop
SETUP = {
    "tls_untrusted_ca", "tls_cert_signature_failure", "gateway_content_type",
    "gateway_signin_required", "gateway_session_expired", "provider_credentials",
    "claude_code_version_too_old", "field_not_granted", "model_substitution_disabled",
    "no_allowed_fallback", "model_requires_usage_credits", "long_context_credits_required",
}  # fmt: skip
"""Values of `api_error` for which the CLI (2.1.332) says to fix the setup or switch the model,
though their class or status may look like an outage."""
_SMALLER = " Its answer or its context was too long: read and write in smaller pieces."
TOO_MUCH = {
    "error_max_turns": " It reached --max-turns.",
    "max_output_tokens": _SMALLER,
    "message_over_context_limit": _SMALLER,
    "autocompact_thrashing": _SMALLER,
}
"""The run was too long (by subtype, class or `api_error`). A new run may succeed. When it was
treated as an outage, one run was retried and paid for forty times."""
BROKEN = {
    "no_init": "claude did not start in time",
    "flood": "claude was stopped after writing more than 1 GB of output",
}
PERMANENT_STATUSES = frozenset(range(400, 500)) - {408, 409, 429}
"""Most refused requests, such as spending limits, have the class `unknown` (CLI 2.1.332)."""


def error_class(run: RunResult) -> str | None:
    """Return a key of BLOCKING or TOO_MUCH, another error class, or None without an error."""
    if run.ended in BLOCKING:
        return run.ended
    if run.api_error in TOO_MUCH:
        return run.api_error
    lasting = run.api_error in SETUP or run.status in PERMANENT_STATUSES
    return "invalid_request" if lasting and run.error not in BLOCKING else run.error
