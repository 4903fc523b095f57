"""Any text in XML: quoted, without the characters that no XML may hold."""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import quoteattr

_FORBIDDEN: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(value: object) -> str:
    r"""A value as text that XML can hold; what it cannot becomes U+FFFD.

    >>> text("a\x00b")
    'a\ufffdb'
    """
    return _FORBIDDEN.sub("\ufffd", str(value))


def attributes(**values: object) -> str:
    """Attributes of an element.

    >>> print(attributes(label='a "b" <c>', occluded=0))
    label='a "b" &lt;c&gt;' occluded="0"
    """
    return " ".join(f"{name}={quoteattr(text(value))}" for name, value in values.items())
