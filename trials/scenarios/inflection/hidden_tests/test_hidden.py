from pathlib import Path

import pytest
from inflection import parameterize


@pytest.mark.parametrize(
    ("text", "limit", "wanted"),
    [
        ("Donald E. Knuth", 100, "donald-e-knuth"),
        ("Donald E. Knuth", 14, "donald-e-knuth"),
        ("Donald E. Knuth", 13, "donald-e"),
        ("Donald E. Knuth", 9, "donald-e"),
        ("Donald E. Knuth", 8, "donald-e"),
        ("Donald E. Knuth", 7, "donald"),
        ("Donald E. Knuth", 6, "donald"),
        ("Donald E. Knuth", 5, "donal"),
        ("Donald E. Knuth", 1, "d"),
        ("", 3, ""),
        ("!!!", 3, ""),
    ],
)
def test_whole_words(text, limit, wanted):
    assert parameterize(text, max_length=limit) == wanted


def test_other_separators():
    assert parameterize("Donald E. Knuth", separator="_", max_length=9) == "donald_e"
    assert parameterize("Donald E. Knuth", separator="--", max_length=9) == "donald--e"
    assert parameterize("Donald E. Knuth", separator="--", max_length=8) == "donald"
    assert parameterize("Donald E. Knuth", separator="", max_length=4) == "dona"


def test_never_longer_never_ending_with_the_separator():
    text = "What a long and winding title, with some more words"
    for limit in range(1, 60):
        slug = parameterize(text, max_length=limit)
        assert 0 < len(slug) <= limit
        assert not slug.endswith("-")
        assert parameterize(text).startswith(slug)


@pytest.mark.parametrize("limit", [0, -1])
def test_refused(limit):
    with pytest.raises(ValueError):
        parameterize("a", max_length=limit)


def test_as_before():
    assert parameterize("Donald E. Knuth") == "donald-e-knuth"
    assert parameterize("Donald E. Knuth", "_") == "donald_e_knuth"


def test_documented():
    assert "max_length" in parameterize.__doc__
    import inflection

    assert "max_length" in Path(inflection.__file__).read_text()
