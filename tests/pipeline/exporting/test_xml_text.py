"""Whatever a text holds, XML that is made of it is XML, and says the same."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from pipeline.exporting.xml_text import attributes, text


@given(st.text())
def test_any_text_comes_back_from_an_attribute(value: str) -> None:
    found = ElementTree.fromstring(f"<a {attributes(b=value)}/>").attrib["b"]
    assert found == text(value)
    assert len(found) == len(value)


def test_what_no_xml_may_hold_is_replaced_and_nothing_else() -> None:
    assert text("\x00\x0b\x1f\ud800\ufffe") == "\ufffd" * 5
    assert text("\t\n\r aü空\U0001f600") == "\t\n\r aü空\U0001f600"
