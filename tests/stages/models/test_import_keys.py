from __future__ import annotations

import math

import pytest
import torch

from schemas.errors import SourceError
from stages.models.import_keys import language_tensors, map_clip, with_text_prefix
from tests.stages.models import foreign, tiny


def test_a_student_is_the_backbone_and_a_teacher_the_teacher_backbone(tmp_path) -> None:
    raw = foreign.pretrained(tmp_path)
    student, teacher = map_clip(raw, "student", "f"), map_clip(raw, "teacher", "f")
    for mapped, prefix in ((student, "backbone."), (teacher, "teacher_backbone.")):
        assert mapped.layout == "RegionCLIP"
        assert mapped.visual == prefix
        assert mapped.language
        for name, source in mapped.sources.items():
            assert torch.equal(mapped.state[name], raw[source])
            assert source.startswith((prefix, "lang_encoder."))
    assert not torch.equal(
        student.state["visual.conv1.weight"], teacher.state["visual.conv1.weight"]
    )


def test_a_teacher_without_a_separate_tower_is_the_backbone(tmp_path) -> None:
    mapped = map_clip(foreign.renamed(tiny.tiny_clip(tmp_path)), "teacher", "f")
    assert mapped.visual == "backbone."


def test_names_become_those_of_the_network(tmp_path) -> None:
    clip = tiny.tiny_clip(tmp_path)
    expected = {n for n in clip.network.state_dict() if not n.endswith("num_batches_tracked")}
    assert map_clip(foreign.renamed(clip), "student", "f").state.keys() == expected


def test_a_missing_temperature_becomes_that_of_the_reference(tmp_path) -> None:
    mapped = map_clip(foreign.renamed(tiny.tiny_clip(tmp_path)), "student", "f")
    assert mapped.state["logit_scale"].exp().item() == pytest.approx(1 / 0.01)
    assert "logit_scale" not in mapped.sources


def test_openais_files_are_identified_by_their_scalars(tmp_path) -> None:
    raw = dict(tiny.tiny_clip(tmp_path).network.state_dict())
    raw["logit_scale"] = torch.tensor(math.log(20.0)).half()
    assert map_clip(raw, "student", "f").layout == "open_clip"
    mapped = map_clip(raw | {"input_resolution": torch.tensor(64)}, "student", "f")
    assert mapped.layout == "OpenAI"
    assert mapped.state["logit_scale"].dtype == torch.float32
    assert mapped.unused([*raw, "input_resolution"]) == ["input_resolution"]


@pytest.mark.slow
def test_a_clip_with_its_own_names_beside_a_teacher_has_regionclips_layout(tmp_path) -> None:
    raw = foreign.renamed(tiny.tiny_clip(tmp_path), "visual.", "")
    raw |= {n: v for n, v in foreign.pretrained(tmp_path).items() if n.startswith("teacher_")}
    assert map_clip(raw, "student", "f").layout == "RegionCLIP"
    assert map_clip(raw, "teacher", "f").visual == "teacher_backbone."


def test_half_precision_becomes_float32(tmp_path) -> None:
    raw = {n: v.half() for n, v in foreign.renamed(tiny.tiny_clip(tmp_path)).items()}
    assert {v.dtype for v in map_clip(raw, "student", "f").state.values()} == {torch.float32}


def test_a_language_encoder_of_another_width_is_left_out(tmp_path) -> None:
    raw = foreign.pretrained(tmp_path)
    raw["teacher_backbone.attnpool.c_proj.weight"] = torch.zeros(20, 256)
    teacher = map_clip(raw, "teacher", "f")
    assert not teacher.language
    assert not language_tensors(teacher.state)
    assert any(name.startswith("lang_encoder.") for name in teacher.unused(raw))
    assert map_clip(raw, "student", "f").language


def test_constants_in_older_files_are_left_out(tmp_path) -> None:
    raw = foreign.renamed(tiny.tiny_clip(tmp_path)) | {"lang_encoder.attn_mask": torch.zeros(16)}
    mapped = map_clip(raw, "student", "f")
    assert "attn_mask" not in mapped.state
    assert mapped.unused(raw) == ["lang_encoder.attn_mask"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("backbone.bottom_up.conv1.weight", "feature pyramid"),
        ("backbone.body.conv1.weight", "--as rpn"),
        ("vision_model.embeddings.class_embedding", "transformers"),
        ("clip.visual.conv1.weight", "a detector of this toolkit"),
        ("something.else", "no image tower for a student: no name begins with backbone"),
    ],
)
def test_an_unsupported_file_is_refused_with_its_kind(name, message) -> None:
    with pytest.raises(SourceError, match=message):
        map_clip({name: torch.zeros(1)}, "student", "file.pth")


def test_tensors_get_the_names_of_a_separate_text_tower(tmp_path) -> None:
    state = map_clip(foreign.renamed(tiny.tiny_clip(tmp_path)), "student", "f").state
    apart = with_text_prefix(state)
    assert "text.token_embedding.weight" in apart
    assert "visual.attnpool.positional_embedding" in apart
    assert "logit_scale" in apart
    assert with_text_prefix(apart).keys() == apart.keys()
    assert language_tensors(apart).keys() == language_tensors(state).keys()


@pytest.mark.parametrize("name", ["logit_scale", "logit_bias"])
@pytest.mark.parametrize("value", [torch.zeros(2), torch.zeros(0), torch.tensor(1)])
def test_scale_and_bias_are_one_number_each(tmp_path, name, value) -> None:
    raw = dict(tiny.tiny_clip(tmp_path).network.state_dict())
    with pytest.raises(SourceError, match=rf"{name} of f is .*, not one floating-point number"):
        map_clip(raw | {name: value}, "teacher", "f")
    mapped = map_clip(raw | {name: torch.full((1, 1), 2.5)}, "teacher", "f")
    assert (mapped.state[name].shape, mapped.state[name].item()) == ((), 2.5)


def test_a_tensor_under_two_names_is_refused_whichever_comes_last(tmp_path) -> None:
    raw = dict(tiny.tiny_clip(tmp_path, "vit").network.state_dict())
    raw["lang_encoder.visual.proj"] = raw["visual.proj"] + 1
    with pytest.raises(SourceError, match=r"holds visual\.proj twice, as visual\.proj and lang"):
        map_clip(raw, "teacher", "f")
    both = {name: torch.zeros(2) for name in ("text.ln_final.bias", "ln_final.bias")}
    with pytest.raises(SourceError, match=r"holds text\.ln_final\.bias twice"):
        with_text_prefix(both)
