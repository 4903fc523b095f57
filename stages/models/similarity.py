"""Similarity: how the weights of a model turn cosines into probabilities.

A model trained by CLIP's loss has a logit scale, whose inverse is its temperature; one trained by
the sigmoid loss has a bias as well. `rc embed-concepts` writes both beside its rows, in
similarity.json, for stages that see embeddings but no weights.

Source: CLIP (arXiv:2103.00020), softmax(cosine * exp(scale)); SigLIP (arXiv:2303.15343),
sigmoid(cosine * exp(scale) + bias).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from schemas.errors import ArtifactError, SourceError
from stages.option import option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stages.models.clip import Clip

Temperature = float | Literal["teacher"]
Probability = Literal["softmax", "sigmoid"]

FILE: Final = "similarity.json"
_LARGEST_LOG: Final = 20.0  # of the scale, either way: beyond it float32 probabilities are 0 or 1
_DIGITS: Final = 6  # float32 holds no more of exp(-scale); CLIP's largest scale gives 0.01 again


def temperature_option(whose: str) -> Any:
    """An option `--temperature`: a number, or what the weights say.

    Args:
        whose: Ends the sentence "teacher: that of ...".
    """
    doc = f"divides cosine similarity, lower is sharper; teacher: that of {whose}"
    return option("teacher", doc, above=0)


def chosen_temperature(asked: Temperature, own: Callable[[], float]) -> float:
    """The number that an option `--temperature` means; `own` looks up what the weights say."""
    return own() if isinstance(asked, str) else float(asked)


def chosen_bias(asked: Probability, own: Callable[[], float | None]) -> float | None:
    """What an option `--probability` adds to logits before a sigmoid; None means a softmax.

    Args:
        asked: The option.
        own: Looks up what the weights say; a detector's say nothing, it has a background instead.

    Raises:
        ArtifactError: If there is a sigmoid to compute, and no bias.
    """
    if asked == "softmax":
        return None
    bias = own()
    if bias is None:
        raise ArtifactError(
            "--probability sigmoid needs the weights of a teacher or student trained by the "
            "sigmoid loss, as SigLIP was; these have no logit bias, so leave it at softmax"
        )
    return bias


@dataclass(frozen=True)
class Similarity:
    """What the weights say.

    Attributes:
        logit_scale: Logarithm of the inverse temperature.
        logit_bias: Added to logits, in models trained by the sigmoid loss; else None.
    """

    logit_scale: float
    logit_bias: float | None = None

    def __post_init__(self) -> None:
        if not abs(self.logit_scale) <= _LARGEST_LOG:  # also NaN
            raise SourceError(
                f"the weights have a logit scale of {self.logit_scale:g}, of which no temperature "
                f"can be made: they are damaged, or no CLIP; import them again"
            )
        if self.logit_bias is not None and not math.isfinite(self.logit_bias):
            raise SourceError(
                f"the weights have a logit bias of {self.logit_bias:g}: they are damaged; import "
                f"them again"
            )

    @property
    def temperature(self) -> float:
        """What divides the cosine, to six digits."""
        return float(f"{math.exp(-self.logit_scale):.{_DIGITS}g}")

    @classmethod
    def of(cls, clip: Clip) -> Similarity:
        """That of a model's weights.

        Raises:
            SourceError: If they hold no usable number.
        """
        bias = clip.logit_bias
        return cls(_number(clip.logit_scale), None if bias is None else _number(bias))

    @classmethod
    def read(cls, path: Path) -> Similarity:
        """That of a similarity.json.

        Raises:
            SourceError: If the file cannot be read, or holds something else.
        """
        try:
            content = json.loads(path.read_text("utf-8"))
            scale, bias = content["logit_scale"], content["logit_bias"]
            return cls(float(scale), None if bias is None else float(bias))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise SourceError(f"{path} does not describe a similarity: {error}") from error

    def write(self, path: Path) -> None:
        """Write a similarity.json; equal ones give equal bytes."""
        path.write_text(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n", "utf-8")


def _number(parameter: Any) -> float:
    """The value of a parameter of one element; open_clip has some of shape (1,)."""
    return float(parameter.detach().float().reshape(-1)[0])
