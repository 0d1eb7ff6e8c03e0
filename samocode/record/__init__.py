"""The record: the history, the state folded from it, files, ways out. Imports nothing of ours."""
