"""The text files of a session folder: how each is written and read."""
