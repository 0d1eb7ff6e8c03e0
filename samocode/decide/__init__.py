"""Decide how an iteration ended: signal, facts, policy."""
