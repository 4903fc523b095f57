"""Build networks from open_clip's configurations, with any of its text towers; nothing is fetched.

A text tower of the transformers library is built from the config.json among its tokenizer's files.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import timm
import torch
from open_clip import CLIP, CoCa, CustomTextCLIP
from open_clip.hf_configs import arch_dict
from torch import nn

from schemas.errors import SourceError
from stages.models.tokenizer import require_transformers
from stages.models.weights_files import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.models.clip_spec import ClipSpec

# open_clip's names of the parts of a language encoder: in CLIP, then in CustomTextCLIP and CoCa
_LANGUAGE: Final = (
    *("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection"),
    *("attn_mask", "text", "text_decoder"),
)
_MOST_LAYERS: Final = 1000  # of a tower; the deepest in use has 64
_SMALLEST: Final = {"context_length": 1, "vocab_size": 1, "width": 1, "heads": 1, "layers": 1}
# of a config.json: code, other precisions and kernels, which a library would fetch
_NOT_THE_NETWORK: Final = (
    *("auto_map", "dtype", "torch_dtype", "quantization_config", "attn_implementation"),
    *("experts_implementation", "kernel_config"),
)


def build_network(spec: ClipSpec) -> nn.Module:
    """open_clip's network of a spec, at random weights, without a text tower if it has none.

    Raises:
        SourceError: If open_clip cannot build it, or a file that describes it is missing.
    """
    _require_bounds(spec.config)
    if spec.language:
        return _build(spec.config, spec)
    config = {key: value for key, value in spec.config.items() if key != "multimodal_cfg"}
    network = _build({**config, "text_cfg": _SMALLEST}, spec)
    for part in _LANGUAGE:
        if hasattr(network, part):
            delattr(network, part)
    return network


def require_size(spec: ClipSpec, values: int, source: str) -> None:
    """Pass if a network is no larger than the file it is to be filled from; nothing is allocated.

    Args:
        spec: Of the network.
        values: Numbers in the file.
        source: The file, for the message.

    Raises:
        SourceError: If it cannot be built, or is more than twice as large.
    """
    with torch.device("meta"):
        described = sum(value.numel() for value in build_network(spec).state_dict().values())
    if described > 2 * values:
        raise SourceError(
            f"{source} does not fit the architecture: it has {values:,} numbers, and the network "
            f"that the configuration describes {described:,}; give the configuration it was "
            f"trained with"
        )


def has_custom_text(config: Mapping[str, Any]) -> bool:
    """Whether the text tower is a module of its own, whose tensors' names begin with `text.`."""
    return bool(config.get("custom_text") or config["text_cfg"].get("hf_model_name"))


def _build(config: Mapping[str, Any], spec: ClipSpec) -> nn.Module:
    options = {key: value for key, value in config.items() if key != "custom_text"}
    text, vision = dict(config.get("text_cfg", {})), dict(config.get("vision_cfg", {}))
    if vision.get("timm_model_name"):
        vision["timm_model_pretrained"] = False  # never from the network
    options |= {"text_cfg": text, "vision_cfg": vision}
    network: type[nn.Module] = CLIP
    if has_custom_text({**config, "text_cfg": text}):
        network = CoCa if "multimodal_cfg" in config else CustomTextCLIP
        text["output_tokens"] = network is CoCa  # it alone takes them
    try:
        with TemporaryDirectory() as folder:
            if text.get("hf_model_name"):
                description = _described(spec, str(text["hf_model_name"]))
                (Path(folder) / "config.json").write_text(json.dumps(description), "utf-8")
                text |= {"hf_model_name": folder, "hf_model_pretrained": False}
            return _filled(network(**options))
    except SourceError:
        raise
    except Exception as error:  # the libraries for towers share no base class
        reason = "".join(c if c.isprintable() else " " for c in str(error))[:300]
        raise SourceError(f"open_clip cannot build this configuration: {reason}") from error


def _require_bounds(config: Mapping[str, Any]) -> None:
    """Pass if towers are those of installed libraries, and no deeper than any in use."""
    parts = {key: value for key, value in config.items() if isinstance(value, dict)}
    name = parts.get("vision_cfg", {}).get("timm_model_name")
    if name and not (isinstance(name, str) and ":" not in name and timm.is_model(name)):
        raise SourceError(
            f"timm has no image tower {printable(str(name))}; give one of timm.list_models() as "
            f"timm_model_name (towers of the network or of a folder are not built)"
        )
    for part, settings in parts.items():
        layers = settings.get("layers")
        depths = layers if isinstance(layers, (list, tuple)) else [layers]
        if any(isinstance(depth, (int, float)) and depth > _MOST_LAYERS for depth in depths):
            raise SourceError(f"layers of {part} must be at most {_MOST_LAYERS} each")


def _filled(network: nn.Module) -> nn.Module:
    """The network, with random weights where open_clip leaves what was in the memory."""
    if isinstance(network, CoCa):
        decoder: Any = network.text_decoder
        nn.init.normal_(decoder.text_projection, std=decoder.width**-0.5)
    return network


def _described(spec: ClipSpec, name: str) -> dict[str, Any]:
    """The config.json of a text tower of transformers, reduced to what describes the network."""
    require_transformers(name)
    description = spec.tokenizer.settings()
    kind = description.get("model_type")
    if kind not in arch_dict:
        raise SourceError(
            f"the text tower '{name}' needs its config.json beside its tokenizer, with a "
            f"model_type of {', '.join(arch_dict)}, got {kind!r}"
        )
    return {
        key: value
        for key, value in description.items()
        if key not in _NOT_THE_NETWORK and not key.startswith("_")
    }
