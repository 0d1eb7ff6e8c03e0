import io
from pathlib import Path

import pytest
import xmltodict


def nested(depth):
    return "".join(f"<e{n}>" for n in range(depth)) + "".join(
        f"</e{n}>" for n in reversed(range(depth))
    )


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_up_to_the_limit(depth):
    assert xmltodict.parse(nested(depth), max_depth=depth) == xmltodict.parse(nested(depth))


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_beyond_the_limit(depth):
    with pytest.raises(xmltodict.DepthExceeded, match=str(depth)):
        xmltodict.parse(nested(depth + 1), max_depth=depth)


def test_kind():
    assert issubclass(xmltodict.DepthExceeded, ValueError)


def test_wide_is_not_deep():
    text = "<a>" + "<b><c>1</c></b>" * 500 + "</a>"
    assert len(xmltodict.parse(text, max_depth=3)["a"]["b"]) == 500


def test_stops_when_the_element_opens():
    class Endless(io.RawIOBase):
        reads = 0

        def read(self, size=-1):
            self.reads += 1
            assert self.reads < 50, "it went on reading"
            return b"<a>"

    with pytest.raises(xmltodict.DepthExceeded):
        xmltodict.parse(Endless(), max_depth=3)


def test_streaming():
    seen = []

    def callback(path, item):
        seen.append(item)
        return True

    text = "<a><b>1</b><b>2</b><b><c><d/></c></b></a>"
    with pytest.raises(xmltodict.DepthExceeded):
        xmltodict.parse(text, item_depth=2, item_callback=callback, max_depth=3)
    assert seen == ["1", "2"]
    seen.clear()
    xmltodict.parse(text, item_depth=2, item_callback=callback, max_depth=4)
    assert len(seen) == 3


@pytest.mark.parametrize("value", [0, -1])
def test_refused(value):
    with pytest.raises(ValueError):
        xmltodict.parse("<a/>", max_depth=value)


def test_as_before():
    assert xmltodict.parse(nested(500))


def test_readme():
    assert "max_depth" in Path(xmltodict.__file__).with_name("README.md").read_text()
