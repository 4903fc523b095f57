"""The description of a CLIP model in model.json: configuration and preprocessing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from stages.models.given_architecture import Architecture, read_architecture
from stages.models.preprocessing import CLIPS, Preprocessing, of_architecture
from stages.models.tokenizer_files import NO_FILES, TokenizerFiles, read_listed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DEFAULTS: Final = {
    "language": True,
    "resize_mode": "shortest",
    "interpolation": "bicubic",
    "dense": "auto",
    "tokenizer": {},
}


@dataclass(frozen=True)
class ClipSpec:
    """The content of model.json.

    Attributes:
        architecture: open_clip's name of the model; None for a configuration of your own.
        config: open_clip's model configuration: embed_dim, vision_cfg, text_cfg, quick_gelu.
        image_size: Native side of an image, pixels.
        mean: Of pixel values in [0, 1], red, green, blue; subtracted first.
        std: Divides the difference.
        origin: Source of the weights, for people.
        language: Whether there is a language encoder; False for weights published without one.
        resize_mode: How an image gets the native size, one of `resizing.MODES`.
        interpolation: bicubic or bilinear, when a whole image or a crop gets it.
        dense: How regions were read in training, one of `dense_option.DENSE`.
        tokenizer: Files of the language encoder's own tokenizer; model.json holds their hashes,
            and they lie beside it. None for CLIP's tokenizer.
    """

    architecture: str | None
    config: Mapping[str, Any]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    origin: str
    language: bool = True
    resize_mode: str = "shortest"
    interpolation: str = "bicubic"
    dense: str = "auto"
    tokenizer: TokenizerFiles = NO_FILES

    @property
    def preprocessing(self) -> Preprocessing:
        """How images are prepared."""
        return Preprocessing(self.mean, self.std, self.resize_mode, self.interpolation)

    def line(self) -> str:
        """For people: what the tensors do not show."""
        activation = "QuickGELU" if self.config.get("quick_gelu") else "GELU"
        mean, std = (", ".join(f"{v:.3g}" for v in values) for values in (self.mean, self.std))
        files = ", ".join(self.tokenizer.contents)
        return (
            f"{activation}; images of {self.image_size} pixels ({self.resize_mode}, "
            f"{self.interpolation}), mean {mean}, deviation {std}"
            + (f"; tokenizer of {files}" if files else "")
        )

    def content(self) -> dict[str, Any]:
        """The content of model.json, without what is as in CLIP."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        content["tokenizer"] = self.tokenizer.digests()
        return {k: v for k, v in content.items() if k not in _DEFAULTS or v != _DEFAULTS[k]}

    def write(self, path: Path) -> None:
        """Write model.json and the tokenizer's files beside it; equal specs give equal bytes."""
        self.tokenizer.write(path.parent)
        path.write_text(json.dumps(self.content(), indent=2, sort_keys=True) + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> ClipSpec:
        """The spec in a model.json.

        Raises:
            SourceError: If the file is missing, is not JSON, or lacks a key.
        """
        try:
            content = _DEFAULTS | json.loads(path.read_text("utf-8"))
            preprocessing = Preprocessing.of(content, str(path))
            return cls(
                **{
                    **{key: content[key] for key in cls.__dataclass_fields__},
                    **asdict(preprocessing),
                    "language": bool(content["language"]),
                    "dense": str(content["dense"]),
                    "tokenizer": read_listed(path.parent, content["tokenizer"]),
                }
            )
        except OSError as error:
            raise SourceError(f"{path} cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SourceError(f"{path} is not the description of a CLIP model: {error}") from error


def architecture_spec(architecture: str) -> ClipSpec:
    """The spec of an architecture, as `read_architecture` takes it, with an empty origin.

    Where nothing is known about its preprocessing, it is CLIP's: weights that begin at random learn
    whatever it is. Weights of a file have their own (see `clip_import`).

    Raises:
        SourceError: If the name is unknown, or the file is not a configuration.
    """
    given = read_architecture(architecture)
    return spec_of(given, known_preprocessing(given) or CLIPS)


def known_preprocessing(given: Architecture) -> Preprocessing | None:
    """The preprocessing given with an architecture, or that all its published weights have."""
    return given.preprocessing or (of_architecture(given.name) if given.name else None)


def spec_of(given: Architecture, preprocessing: Preprocessing) -> ClipSpec:
    """The spec of an architecture and how its images are prepared, with an empty origin.

    Raises:
        SourceError: If the configuration's image_size is no size.
    """
    try:
        side = square_side(given.config["vision_cfg"].get("image_size", 224))
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise SourceError(f"image_size of a configuration is no size ({error})") from error
    return ClipSpec(
        architecture=given.name,
        config=given.config,
        image_size=side,
        mean=preprocessing.mean,
        std=preprocessing.std,
        origin="",
        resize_mode=preprocessing.resize_mode,
        interpolation=preprocessing.interpolation,
    )


def square_side(size: Any) -> int:
    """The side of a square, given as a number or as a pair."""
    return int(size if isinstance(size, int) else size[0])
