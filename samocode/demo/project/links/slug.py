import re


def slugify(title: str) -> str:
    """The title as the last part of a link: lower case, words joined by hyphens."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words)
