"""Network stage: what runs a frozen image network, and in which number format it computes.

float32 is what everything else was measured in; a recipe and a manifest name a precision only if
another was asked for. `auto` follows from the device, so what it became here belongs to the
fingerprint, and to that of each part: no store mixes precisions.

No torch is imported at the top, so that options can be checked fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from stages.base import Part, Stage, option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.base import Findings

Precision = Literal["float32", "tf32", "bfloat16", "float16", "auto"]
PRECISION: Final = "precision"  # option, digest and note


@dataclass(frozen=True, kw_only=True)
class NetworkStage(Stage):
    """A stage that runs a frozen image network."""

    precision: Precision = option(
        "float32",
        "number format of the image network: tf32 and float16 need CUDA; auto: bfloat16 on a CUDA "
        "device that computes it, else float32",
        recipe="changed",
    )

    machine_notes: ClassVar[Mapping[str, str]] = {
        PRECISION: "--precision auto follows from the device, and these are different ones; give "
        "--precision bfloat16 or float32"
    }

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: what `auto` is here."""
        return {PRECISION: self.computed_in()} if self.precision == "auto" else {}

    def survey(self, findings: Findings) -> None:
        """See `Stage.survey`: what `auto` is here, as every part must find it too."""
        if self.precision == "auto":
            findings.note(PRECISION, self.computed_in())

    def note_precision(self, part: Part) -> str:
        """See `computed_in`; noted if a precision was asked for."""
        chosen = self.computed_in()
        if self.precision != "float32":
            part.note(PRECISION, chosen)
        return chosen

    def computed_in(self) -> str:
        """The precision of the network on this device, as `precision.computing_in` takes it.

        Raises:
            OptionError: If the device cannot compute in it.
        """
        from stages.models import device
        from stages.models.precision import chosen_precision

        return chosen_precision(self.precision, device.resolve(self.device))


def described_precision(notes: Mapping[str, Any]) -> str:
    """What a result was computed in, to go on with in a line; empty if nobody asked.

    >>> described_precision({"precision": "bfloat16"}), described_precision({})
    ('; computed in bfloat16', '')
    """
    return f"; computed in {notes[PRECISION]}" if PRECISION in notes else ""
