"""Absent options: what may be given with `rc label --absent`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from schemas.errors import OptionError

OF_LABELS: Final = ("top_k", "among", "keep_all_if_none")  # what is of labels alone


def check_absent(stage: Any, absent_up_to: float, min_probability: float) -> None:
    """Pass if the options of a stage, with --absent, are possible.

    Args:
        stage: `rc label`.
        absent_up_to: Probability that no region exceeds for what is absent.
        min_probability: That above which a region passes for a concept.

    Raises:
        OptionError: If one is of labels alone, or a region could be what its image lacks.
    """
    for known in fields(stage):
        if known.name in OF_LABELS and getattr(stage, known.name) != known.default:
            flag = "--" + known.name.replace("_", "-")
            raise OptionError(f"rc label: {flag} is of labels, and --absent makes none")
    if absent_up_to > min_probability:
        raise OptionError(
            f"rc label: --absent-up-to {absent_up_to:g} must be at most --min-probability "
            f"{min_probability:g}: else a region could be what its image lacks"
        )
