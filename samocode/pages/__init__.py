"""The text files of a session folder: how each is printed and read."""
