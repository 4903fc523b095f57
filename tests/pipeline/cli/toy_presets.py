"""The toy `rc ingest` with a preset, and an option that takes a number or a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.verbs import Verb
from stages.option import option
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from stages.base import Stage


@dataclass(frozen=True, kw_only=True)
class WithPresets(Ingest):
    """Invent images, few or many."""

    preset: Literal["small"] | None = option(
        None, "options at once", presets={"small": {"count": 6, "per_part": 2}}
    )
    hue: float | Literal["random"] = option("random", "of the images", above=0)


@dataclass(frozen=True)
class VerbWithPresets(Verb):
    """The verb with a stage that has presets."""

    def load(self) -> type[Stage]:
        return WithPresets
