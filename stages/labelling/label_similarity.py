"""How `rc label` turns cosines into probabilities: what its options ask, and the weights say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import ArtifactError, NoAttachmentError
from stages.models.similarity import FILE, Similarity, chosen_bias, chosen_temperature

if TYPE_CHECKING:
    from stages.base import Part
    from stages.models.similarity import Probability, Temperature


@dataclass(frozen=True)
class LabelSimilarity:
    """From cosine to probability.

    Attributes:
        temperature: Divides the cosine.
        bias: Added to every logit before a sigmoid of its own; None: a softmax over all.
        given: Whether the temperature was given as a number; else it is the teacher's.
        by_sigmoid: Whether the weights that embedded the concepts were trained by the sigmoid loss.
    """

    temperature: float
    bias: float | None
    given: bool
    by_sigmoid: bool = False

    @classmethod
    def of(cls, part: Part, temperature: Temperature, kind: Probability) -> LabelSimilarity:
        """What the options ask for, with the numbers that the embeddings carry.

        Raises:
            ArtifactError: If they carry none that is needed, or it is damaged.
        """
        try:
            own = Similarity.read(part.attachment("embeddings", FILE))
        except NoAttachmentError as error:
            if not isinstance(temperature, str) and kind == "softmax":
                return cls(temperature, None, given=True)
            raise ArtifactError(
                "these embeddings do not say how their model was trained (imported ones "
                "cannot): give --temperature as a number, CLIP's own is 0.01, and leave "
                "--probability at softmax"
            ) from error
        return cls(
            chosen_temperature(temperature, lambda: own.temperature),
            chosen_bias(kind, lambda: own.logit_bias),
            given=not isinstance(temperature, str),
            by_sigmoid=own.logit_bias is not None,
        )

    def note(self) -> dict[str, Any]:
        """For the manifest."""
        numbers: dict[str, Any] = {"temperature": self.temperature, "given": self.given}
        if self.bias is None and self.by_sigmoid:
            numbers["trained_by"] = "sigmoid"
        if self.bias is None:
            return {"probability": "softmax", **numbers}
        return {"probability": "sigmoid", **numbers, "logit_bias": self.bias}


def described_similarity(note: dict[str, Any]) -> str:
    """A note, for the last line.

    >>> described_similarity({"probability": "softmax", "temperature": 0.05, "given": False})
    "temperature 0.05, the teacher's"
    """
    text = f"temperature {note['temperature']:.4g}"
    if note["probability"] == "sigmoid":
        text = f"sigmoid, {text}, bias {note['logit_bias']:.4g}"
    text = text if note["given"] else f"{text}, the teacher's"
    if note.get("trained_by") == "sigmoid":
        text += (
            "; the teacher was trained by the sigmoid loss, and softmax finds a concept for every "
            "region: with --probability sigmoid none may fit"
        )
    return text
