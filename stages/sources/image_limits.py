"""Limits of `rc ingest` that may be laxer when refused records are tried again.

They only refuse images. So a part that refused none holds under laxer limits too, byte for byte.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import OptionError
from stages.sources.size_limits import SIZE_LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping

_LAXER_BELOW: Final = ("min_side", "require_captions", "verify")  # off is below on
_LAXER_ABOVE: Final = ("max_pixels", SIZE_LIMITS)


def as_lax_as_before(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The limits of an earlier run, if its parts that refused nothing hold with today's options.

    Args:
        now: Options that decide rows.
        before: Those of the earlier run, as its manifest has them.

    Raises:
        OptionError: If a limit is stricter now, or another option differs.

    >>> as_lax_as_before({"min_side": 2, "pack": True}, {"min_side": 9, "pack": True})
    {'size_limits': 1, 'min_side': 9}
    """
    limits = {}
    for name, value in {SIZE_LIMITS: 1, **json.loads(json.dumps(now))}.items():
        former = before.get(name, 1 if name == SIZE_LIMITS else value)
        if name in _LAXER_BELOW + _LAXER_ABOVE and type(former) is type(value):
            is_laxer = value >= former if name in _LAXER_ABOVE else value <= former
            limits[name] = former
        else:
            is_laxer = value == former
        if not is_laxer:
            raise OptionError(_sentence(name, former, value))
    return limits


def _sentence(name: str, former: Any, value: Any) -> str:
    flag = name.replace("_", "-")
    return (
        "rc ingest: --retry takes the options of the earlier run, and --max-pixels, --size-limits, "
        "--min-side, --require-captions and --verify may only be laxer: its "
        f"--{flag} was {_shown(former)}, not {_shown(value)}"
    )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "not given"
    return "not given" if value is None else str(value)
