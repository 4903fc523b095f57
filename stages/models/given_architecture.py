"""The architecture of a CLIP as people give it: a name, a name with a tag, or a JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import open_clip

from schemas.errors import SourceError
from stages.models.preprocessing import Preprocessing
from stages.models.weights_files import config_beside, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUNDLED: Final = {"small": Path(__file__).with_name("small_clip.json")}
_NEEDED: Final = {"embed_dim", "vision_cfg", "text_cfg"}


@dataclass(frozen=True)
class Architecture:
    """What was given, or lies beside the weights.

    Attributes:
        name: open_clip's name; None for a configuration of your own.
        config: open_clip's model configuration.
        preprocessing: None where nothing was said about it.
        settled: Whether a configuration without `quick_gelu` means GELU, whoever wrote the weights.
    """

    name: str | None
    config: Mapping[str, Any]
    preprocessing: Preprocessing | None
    settled: bool = False


def read_architecture(text: str) -> Architecture:
    """The architecture that `text` names.

    Args:
        text: A name known to open_clip such as ViT-B-32, alone or with the tag of published weights
            (ViT-B-32:laion400m_e32), whose activation and preprocessing it then has; "small"; or
            the path of a JSON file: a bare configuration, open_clip_config.json, a model.json, or
            {"architecture": NAME, "preprocess_cfg": {...}}, perhaps with "quick_gelu".

    Raises:
        SourceError: If the name or the tag is unknown, or the file is no configuration.
    """
    if file := _BUNDLED.get(text):
        return _from_content(_read_json(file), text)
    if text.endswith(".json"):
        return _from_content(_read_json(Path(text)), text)
    name, _, tag = text.partition(":")
    name = name.replace("/", "-")
    config = named_config(name)
    return _with_tag(name, config, tag) if tag else Architecture(name, config, None)


def architecture_beside(weights: Path) -> Architecture | None:
    """That of the open_clip_config.json in the folder of some weights, if there is one.

    Raises:
        SourceError: If it is no configuration.
    """
    config = config_beside(weights)
    return read_architecture(str(config)) if config else None


def named_config(name: str) -> dict[str, Any]:
    """open_clip's configuration of a name.

    Raises:
        SourceError: If there is none.
    """
    config = open_clip.get_model_config(name) if ":" not in name else None  # no hub
    if config is None:
        raise SourceError(
            f"open_clip knows no architecture '{printable(name)}'; give a name such as RN50 or "
            f"ViT-B-32, 'small' to try things, or the path of a .json configuration"
        )
    return dict(config)


def published(name: str, tag: str) -> Mapping[str, Any]:
    """What open_clip says of the weights that are published under a tag.

    Raises:
        SourceError: If there are none.
    """
    known: Mapping[str, Any] = open_clip.get_pretrained_cfg(name, tag)
    if not known:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise SourceError(
            f"no weights '{tag}' are published for '{name}' (tags: {tags}) and no file has that "
            f"name; give one of these tags, or the path of a weights file"
        )
    return known


def _with_tag(name: str, config: dict[str, Any], tag: str) -> Architecture:
    known = published(name, tag)
    if known.get("quick_gelu"):  # a text tower trained with QuickGELU is wrong without it
        config["quick_gelu"] = True
    return Architecture(name, config, Preprocessing.of(known, f"open_clip {name} {tag}"), True)


def _from_content(content: Mapping[str, Any], source: str) -> Architecture:
    config, name = content.get("config") or content.get("model_cfg"), content.get("architecture")
    if not config and name and not content.keys() >= _NEEDED:
        config = named_config(str(name).replace("/", "-"))
        config |= {key: content[key] for key in ("quick_gelu",) if key in content}
    described = content.get("preprocess_cfg", content)  # a model.json has its keys at the top
    config = config or {k: v for k, v in content.items() if k != "preprocess_cfg"}
    _require_parts(config, source)
    _require_names({"architecture": name}, source)
    if not isinstance(described, dict):
        raise SourceError(f"{source}: preprocess_cfg must be a JSON object; leave it out without")
    says = "preprocess_cfg" in content or "mean" in described
    preprocessing = Preprocessing.of(described, source) if says else None
    return Architecture(
        str(name) if name else None, config, preprocessing, settled="origin" in content
    )


def _require_parts(config: Any, source: str) -> None:
    if not isinstance(config, dict) or not config.keys() >= _NEEDED:
        raise SourceError(f"{source} lacks embed_dim, vision_cfg or text_cfg")
    if not all(isinstance(config[part], dict) for part in ("vision_cfg", "text_cfg")):
        raise SourceError(f"{source}: vision_cfg and text_cfg must be JSON objects")
    text = config["text_cfg"]
    if not isinstance(text.get("tokenizer_kwargs") or {}, dict):
        raise SourceError(f"{source}: tokenizer_kwargs must be a JSON object")
    if not isinstance(config.get("quick_gelu", False), bool):
        raise SourceError(f"{source}: quick_gelu must be true or false")
    _require_names({key: text.get(key) for key in ("hf_tokenizer_name", "hf_model_name")}, source)


def _require_names(names: Mapping[str, Any], source: str) -> None:
    """Pass if those that there are can be printed, as they are in messages."""
    for key, name in names.items():
        if name and not (isinstance(name, str) and printable(name) == name):
            raise SourceError(f"{source}: {key} is no name ({printable(str(name))})")


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(
            f"{path} is no readable JSON configuration: {printable(str(error))}"
        ) from error
    if not isinstance(content, dict):
        raise SourceError(f"{path} is no configuration: a JSON object is expected")
    return content
