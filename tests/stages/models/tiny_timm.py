"""Image towers of timm, small enough for a test, built as their full-size namesakes are."""

from __future__ import annotations

from functools import partial
from typing import Any

from timm.layers import LayerNorm
from timm.models import register_model
from timm.models.eva import Eva, _create_eva
from timm.models.fastvit import FastVit, RepConditionalPosEnc, _create_fastvit
from timm.models.vision_transformer import VisionTransformer, _create_vision_transformer
from timm.models.vision_transformer_hybrid import ConvStem, _create_vision_transformer_hybrid

SIDE = 64  # pixels, of all but tiny_siglip
_VIT: dict[str, Any] = {"img_size": SIDE, "embed_dim": 32, "depth": 4, "num_heads": 2}


@register_model
def tiny_siglip(pretrained: bool = False, **options: Any) -> VisionTransformer:
    """SigLIP: attention pooling, no class token; patches of 14, 6 pixels of 90 left over."""
    sizes = _VIT | {"img_size": 90, "patch_size": 14, "class_token": False, "global_pool": "map"}
    return _create_vision_transformer("tiny_siglip", pretrained, **(sizes | options))


@register_model
def tiny_eva02(pretrained: bool = False, **options: Any) -> Eva:
    """EVA-02 as in EVA-CLIP: learned and rotary positions, class token."""
    parts = {"qkv_fused": False, "swiglu_mlp": True, "scale_mlp": True, "scale_attn_inner": True}
    places = {"use_rot_pos_emb": True, "ref_feat_shape": (3, 3), "global_pool": "token"}
    return _create_eva("tiny_eva02", pretrained, **(_VIT | parts | places | options))


@register_model
def tiny_pe(pretrained: bool = False, **options: Any) -> Eva:
    """PE: rotary positions, attention pooling that sees the class token."""
    parts = {"attn_type": "rope", "use_pre_transformer_norm": True, "global_pool": "map"}
    places = {"use_rot_pos_emb": True, "ref_feat_shape": (4, 4), "rope_grid_offset": 1.0}
    places |= {"rope_grid_indexing": "xy", "attn_pool_num_heads": 4, "attn_pool_mlp_ratio": 2.0}
    norm = {"norm_layer": partial(LayerNorm, eps=1e-5)}
    return _create_eva("tiny_pe", pretrained, **(_VIT | parts | places | norm | options))


@register_model
def tiny_mci(pretrained: bool = False, **options: Any) -> VisionTransformer:
    """MobileCLIP-B: a convolutional stem under a vision transformer with a class token."""
    stem = ConvStem(channels=(8, 8, 32), stride=(4, 2, 2), kernel_size=(4, 2, 2), padding=0)
    return _create_vision_transformer_hybrid(
        "tiny_mci",
        backbone=stem,
        embed_args={"proj": False},
        pretrained=pretrained,
        **(_VIT | {"no_embed_class": True} | options),
    )


@register_model
def tiny_fastvit(pretrained: bool = False, **options: Any) -> FastVit:
    """MobileCLIP-S: attention in its last stage, with positions by a convolution."""
    sizes = {"layers": (1, 1, 1, 1), "embed_dims": (8, 8, 16, 32), "mlp_ratios": (2, 2, 2, 2)}
    mixers = {"token_mixers": ("repmixer", "repmixer", "repmixer", "attention")}
    places = (None, None, None, partial(RepConditionalPosEnc, spatial_shape=(7, 7)))
    return _create_fastvit(
        "tiny_fastvit", pretrained, **(sizes | mixers | {"pos_embs": places} | options)
    )
