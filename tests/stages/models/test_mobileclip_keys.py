"""Names of open_clip's tensors are changed to Apple's here, by rules of our own, and back there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import torch

from schemas.errors import SourceError
from stages.models.clip import create_clip
from stages.models.clip_import import import_clip
from stages.models.import_keys import map_clip
from stages.models.mobileclip_keys import from_mobileclip, is_mobileclip
from tests.stages.models.tiny import described

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

FASTVIT = (
    (r"^stages\.0\.blocks", "network.0"),
    (r"^stages\.1\.downsample\.proj", "network.1.proj"),
    (r"^stages\.1\.blocks", "network.2"),
    (r"^stages\.2\.downsample\.proj", "network.3.proj"),
    (r"^stages\.2\.blocks", "network.4"),
    (r"^stages\.3\.downsample\.proj", "network.5.proj"),
    (r"^stages\.3\.pos_emb\.pos_enc", "network.6.pe"),
    (r"^stages\.3\.blocks", "network.7"),
    (r"^stem\.", "patch_embed."),
    (r"^final_conv\.", "conv_exp."),
    (r"conv_kxk", "rbr_conv"),
    (r"conv_scale", "rbr_scale"),
    (r"identity", "rbr_skip"),
    (r"large_conv", "lkb_origin"),
    (r"\.mlp\.", ".convffn."),
    (r"se\.fc1", "se.reduce"),
    (r"se\.fc2", "se.expand"),
    (r"(layer_scale(_\d)?)\.gamma", r"\1"),
    (r"^head\.fc\.weight", "head.proj"),
)
VIT = (
    (r"^patch_embed\.backbone\.(\d)\.conv", r"patch_emb.\1.block.conv"),
    (r"^patch_embed\.backbone\.(\d)\.bn", r"patch_emb.\1.block.norm"),
    (r"^norm\.", "post_transformer_norm."),
    (r"^blocks\.(\d)\.norm1", r"transformer.\1.pre_norm_mha.0"),
    (r"^blocks\.(\d)\.attn\.qkv", r"transformer.\1.pre_norm_mha.1.qkv_proj"),
    (r"^blocks\.(\d)\.attn\.proj", r"transformer.\1.pre_norm_mha.1.out_proj"),
    (r"^blocks\.(\d)\.norm2", r"transformer.\1.pre_norm_ffn.0"),
    (r"^blocks\.(\d)\.mlp\.fc1", r"transformer.\1.pre_norm_ffn.1"),
    (r"^blocks\.(\d)\.mlp\.fc2", r"transformer.\1.pre_norm_ffn.4"),
    (r"^pos_embed$", "pos_embed.pos_embed.pos_embed"),
    (r"^head\.weight", "classifier.proj"),
)
TEXT = (
    (r"^token_embedding", "embedding_layer"),
    (r"^positional_embedding", "positional_embedding.pos_embed.pos_embed"),
    (r"^ln_final", "final_layer_norm"),
    (r"^text_projection", "projection_layer"),
    (r"^transformer\.resblocks\.(\d)\.ln_1", r"transformer.\1.pre_norm_mha.0"),
    (r"^transformer\.resblocks\.(\d)\.attn\.in_proj_", r"transformer.\1.pre_norm_mha.1.qkv_proj."),
    (r"^transformer\.resblocks\.(\d)\.attn\.out_proj", r"transformer.\1.pre_norm_mha.1.out_proj"),
    (r"^transformer\.resblocks\.(\d)\.ln_2", r"transformer.\1.pre_norm_ffn.0"),
    (r"^transformer\.resblocks\.(\d)\.mlp\.c_fc", r"transformer.\1.pre_norm_ffn.1"),
    (r"^transformer\.resblocks\.(\d)\.mlp\.c_proj", r"transformer.\1.pre_norm_ffn.4"),
)
KINDS = {"fastvit": FASTVIT, "mobileclip-b": VIT}


def mobileclip(folder: Path, kind: str) -> Clip:
    """A tiny MobileCLIP whose image tower ends without a bias, as Apple's do."""
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(described(kind, custom_text=True)))
    clip = create_clip(str(path), seed=1)
    generator = torch.Generator().manual_seed(2)
    for name, value in clip.network.state_dict().items():
        if name.endswith(("trunk.head.fc.bias", "trunk.head.bias")):
            value.zero_()
        elif value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.1)
    return clip


def as_apple_names_them(clip: Clip, kind: str) -> dict[str, torch.Tensor]:
    raw: dict[str, torch.Tensor] = {}
    for name, value in clip.network.state_dict().items():
        if name.startswith("visual.trunk."):
            rules, prefix = KINDS[kind], "image_encoder.model."
            short = name.removeprefix("visual.trunk.")
        else:
            rules, prefix = TEXT, "text_encoder." if name.startswith("text.") else ""
            short = name.removeprefix("text.")
        if short in ("head.fc.bias", "head.bias", "attn_mask"):
            continue
        for pattern, new in rules if prefix else ():
            short = re.sub(pattern, new, short)
        if short in ("head.proj", "classifier.proj"):
            value = value.T
        if short.endswith("pos_embed.pos_embed"):
            value = value.reshape(1, 1, *value.shape[-2:])
        raw[prefix + short] = value.clone()
    return raw


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_apples_file_gives_open_clips_model(tmp_path: Path, kind: str) -> None:
    clip = mobileclip(tmp_path, kind)
    raw = as_apple_names_them(clip, kind)
    torch.save(raw | {"extra": torch.zeros(1)}, tmp_path / "apple.pt")
    imported, report = import_clip(tmp_path / "apple.pt", "teacher", str(tmp_path / f"{kind}.json"))
    expected, actual = clip.network.state_dict(), imported.network.state_dict()
    assert list(actual) == list(expected)
    assert all(torch.equal(actual[name], value) for name, value in expected.items())
    assert imported.spec.language
    assert report.layout == "MobileCLIP"
    assert list(report.used) == sorted(raw)
    assert list(report.unused) == ["extra"]
    bias = "visual.trunk.head.fc.bias" if kind == "fastvit" else "visual.trunk.head.bias"
    assert [name for name in report.missing if "num_batches" not in name] == [bias]


@pytest.fixture
def raw(tmp_path: Path) -> dict[str, torch.Tensor]:
    return as_apple_names_them(mobileclip(tmp_path, "fastvit"), "fastvit")


def test_a_detector_is_no_mobileclip_and_open_clips_names_are_not_apples(raw) -> None:  # type: ignore[no-untyped-def]
    assert is_mobileclip(raw)
    assert not is_mobileclip(from_mobileclip(raw, "f")[0])
    with pytest.raises(SourceError, match="no image tower for a detector"):
        map_clip(raw, "detector", "f")


def test_folded_branches_are_refused(raw) -> None:  # type: ignore[no-untyped-def]
    folded = {name.replace("rbr_conv.0.conv", "reparam_conv"): v for name, v in raw.items()}
    assert is_mobileclip(folded)
    with pytest.raises(SourceError, match=r"folded for inference, .* as Apple publishes it"):
        from_mobileclip(folded, "f")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logit_scale": None}, "not its tensors"),
        ({"image_encoder.model.head.proj": torch.zeros(())}, "not its tensors"),
        ({"image_encoder.model.state_dict": torch.zeros(2)}, "does not|two tensors|not its"),
        ({"text_encoder.ln_final.weight": torch.zeros(2)}, "two tensors for one of open_clip's"),
    ],
)
def test_what_is_no_mobileclip_after_all_is_one_sentence(
    raw,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    changes: dict[str, Any],
    message: str,
) -> None:
    raw = {name: value for name, value in (raw | changes).items() if value is not None}
    torch.save(raw, tmp_path / "apple.pt")
    with pytest.raises(SourceError, match=message):
        import_clip(tmp_path / "apple.pt", "teacher", str(tmp_path / "fastvit.json"))
