"""The description of a CLIP model in model.json: configuration and preprocessing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import open_clip

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNUSUAL: Final = ("language", "dense")  # keys of model.json that may be absent
_BUNDLED: Final = {"small": Path(__file__).with_name("small_clip.json")}


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
        dense: How regions were read in training, one of `dense_option.DENSE`.
    """

    architecture: str | None
    config: Mapping[str, Any]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    origin: str
    language: bool = True
    dense: str = "auto"

    def content(self) -> dict[str, Any]:
        """The content of model.json; `language` and `dense` only if they say something unusual."""
        content = asdict(self)
        if self.language:
            del content["language"]
        if self.dense == "auto":
            del content["dense"]
        return content

    def write(self, path: Path) -> None:
        """Write model.json; equal specs give equal bytes."""
        path.write_text(json.dumps(self.content(), indent=2, sort_keys=True) + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> ClipSpec:
        """The spec in a model.json.

        Raises:
            SourceError: If the file is missing, is not JSON, or lacks a key.
        """
        try:
            content = json.loads(path.read_text("utf-8"))
            return cls(
                **{
                    **{
                        key: content[key] for key in cls.__dataclass_fields__ if key not in _UNUSUAL
                    },
                    "mean": tuple(content["mean"]),
                    "std": tuple(content["std"]),
                    "language": bool(content.get("language", True)),
                    "dense": str(content.get("dense", "auto")),
                }
            )
        except OSError as error:
            raise SourceError(f"{path} cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{path} is not the description of a CLIP model: {error}") from error


def architecture_spec(architecture: str) -> ClipSpec:
    """The spec of an architecture, given by name or JSON file, with an empty origin.

    Names are open_clip's, and "small", a network of 6 million parameters to try things with.

    Raises:
        SourceError: If the name is unknown, or the file is not a configuration.
    """
    file = _BUNDLED.get(architecture) or Path(architecture)
    if file.suffix == ".json":
        name, content = None, _read_json(file)
    else:
        name, content = architecture.replace("/", "-"), _named_config(architecture)
    config = content.get("config") or content.get("model_cfg") or content
    preprocessing = content.get("preprocess_cfg") or content
    if not {"embed_dim", "vision_cfg", "text_cfg"} <= set(config):
        raise SourceError(f"{architecture} lacks embed_dim, vision_cfg or text_cfg")
    return ClipSpec(
        architecture=content.get("architecture") or name,
        config=config,
        image_size=square_side(config["vision_cfg"].get("image_size", 224)),
        mean=three_floats(preprocessing.get("mean") or open_clip.OPENAI_DATASET_MEAN),
        std=three_floats(preprocessing.get("std") or open_clip.OPENAI_DATASET_STD),
        origin="",
    )


def _named_config(name: str) -> Mapping[str, Any]:
    config = open_clip.get_model_config(name.replace("/", "-"))
    if config is None:
        raise SourceError(
            f"open_clip knows no architecture '{name}'; give a name such as RN50 or ViT-B-32, "
            f"'small' to try things, or the path of a .json configuration"
        )
    return dict(config)


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} is no readable JSON configuration: {error}") from error
    if not isinstance(content, dict):
        raise SourceError(f"{path} is no configuration: a JSON object is expected")
    return content


def square_side(size: Any) -> int:
    """The side of a square, given as a number or as a pair."""
    return int(size if isinstance(size, int) else size[0])


def three_floats(values: Any) -> tuple[float, float, float]:
    """Three floats, one per channel, from any sequence of three numbers."""
    red, green, blue = values
    return float(red), float(green), float(blue)
