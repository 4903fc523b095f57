"""What a command says besides its answer about a damaged file that it does without."""

from __future__ import annotations

import logging
from functools import lru_cache

_log = logging.getLogger(__name__)


@lru_cache(maxsize=256)
def warn(sentence: str) -> None:
    """Say it once; without another handler, logging writes it to standard error."""
    _log.warning("warning: %s", sentence)
