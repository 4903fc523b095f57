from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from schemas.errors import SourceError
from stages.models import clip_import
from stages.models.clip import create_clip, read_clip, save_clip
from stages.models.clip_import import import_clip, language_digest
from tests.stages.models import foreign, tiny
from tests.stages.models.texts import encode_texts

pytestmark = pytest.mark.slow


def statistics(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {n: v for n, v in state.items() if n.endswith(("running_mean", "running_var"))}


def test_every_batch_norm_of_an_imported_student_has_the_files_statistics(tmp_path) -> None:
    raw = foreign.pretrained(tmp_path)  # its proposal network has initial statistics
    path = foreign.save(raw, tmp_path / "f.pth")
    clip, _ = import_clip(path, "student", foreign.architecture(tmp_path))
    loaded = statistics(clip.network.state_dict())
    assert len(loaded) == 2 * 19
    for name, value in loaded.items():
        assert torch.equal(value, raw[name.replace("visual.", "backbone.")])
    saved = tmp_path / "model.json", tmp_path / "w.safetensors"
    save_clip(clip, *saved)
    again = statistics(read_clip(*saved).network.state_dict())
    assert all(torch.equal(value, loaded[name]) for name, value in again.items())


def test_statistics_overwritten_by_a_second_load_are_refused(tmp_path, monkeypatch) -> None:
    def load_twice(network, state, source) -> None:  # what the reference does on newer PyTorch
        network.load_state_dict(state, strict=False)
        second = {n: torch.zeros_like(v) for n, v in statistics(dict(network.state_dict())).items()}
        network.load_state_dict(second, strict=False)

    monkeypatch.setattr(clip_import, "load_state", load_twice)
    path = foreign.save(foreign.pretrained(tmp_path), tmp_path / "f.pth")
    with pytest.raises(SourceError, match="statistics were overwritten"):
        import_clip(path, "student", foreign.architecture(tmp_path))


def test_a_file_whose_backbone_lost_its_statistics_is_refused_even_if_the_teacher_has_them(
    tmp_path,
) -> None:
    raw = foreign.pretrained(tmp_path)
    for name, value in raw.items():
        if name.startswith("backbone.") and name.endswith(("running_mean", "running_var")):
            value.fill_(float(name.endswith("var")))
    path = foreign.save(raw, tmp_path / "f.pth")
    config = foreign.architecture(tmp_path)
    with pytest.raises(SourceError, match=r"all 19 batch norms of f.pth have their initial"):
        import_clip(path, "student", config)
    import_clip(path, "teacher", config)
    import_clip(path, "student", config, untrained=True)


@pytest.mark.parametrize("what", ["running_mean", "running_var"])
def test_a_missing_statistic_is_refused_even_if_untrained_ones_are_allowed(tmp_path, what) -> None:
    raw = foreign.pretrained(tmp_path)
    del raw[f"backbone.layer2.0.bn1.{what}"]
    path = foreign.save(raw, tmp_path / "f.pth")
    with pytest.raises(SourceError, match=r"lacks batch-norm statistics \(visual.layer2.0.bn1"):
        import_clip(path, "student", foreign.architecture(tmp_path), untrained=True)


def test_regions_and_texts_of_an_import_are_those_of_the_original(tmp_path) -> None:
    path = foreign.save(foreign.renamed(tiny.tiny_clip(tmp_path)), tmp_path / "f.pth")
    config = foreign.architecture(tmp_path, quick_gelu=True)
    original = create_clip(config).eval()
    original.network.load_state_dict(tiny.tiny_clip(tmp_path).network.state_dict())
    clip, _ = import_clip(path, "student", config)
    pixels, boxes = torch.rand(1, 3, 64, 96), [torch.tensor([[0.0, 0.0, 40.0, 50.0]])]
    with torch.no_grad():
        ours, theirs = (c.encode_regions(pixels, boxes) for c in (clip, original))
        assert torch.equal(ours, theirs)
        assert torch.equal(encode_texts(clip, ["a dog"]), encode_texts(original, ["a dog"]))


def test_every_key_is_used_unused_or_missing(tmp_path) -> None:
    raw = foreign.pretrained(tmp_path)
    path = foreign.save(raw, tmp_path / "f.pth")
    clip, report = import_clip(path, "student", foreign.architecture(tmp_path))
    assert sorted([*report.used, *report.unused]) == sorted(raw)
    assert set(report.missing) == {
        n for n in clip.network.state_dict() if n.endswith("num_batches_tracked")
    } | {"logit_scale"}
    assert len(report.used) + len(report.missing) == len(clip.network.state_dict())


def test_published_towers_use_quick_gelu_unless_our_own_description_says_no(tmp_path) -> None:
    path = foreign.save(foreign.pretrained(tmp_path), tmp_path / "f.pth")
    bare = foreign.architecture(tmp_path)
    assert import_clip(path, "student", bare)[0].spec.config["quick_gelu"] is True
    explicit = foreign.architecture(tmp_path, quick_gelu=False)
    assert import_clip(path, "student", explicit)[0].spec.config["quick_gelu"] is False
    tiny.tiny_clip(tmp_path).spec.write(tmp_path / "model.json")
    ours = import_clip(path, "student", str(tmp_path / "model.json"))[0].spec.config
    assert not ours.get("quick_gelu")


def test_openais_files_use_quick_gelu_and_are_upcast(tmp_path) -> None:
    original = tiny.tiny_clip(tmp_path)
    state = {n: v.half() if v.ndim else v for n, v in original.network.state_dict().items()}
    state["input_resolution"] = torch.tensor(64)
    torch.save(state, tmp_path / "f.pt")
    clip, report = import_clip(tmp_path / "f.pt", "teacher", foreign.architecture(tmp_path))
    assert clip.spec.config["quick_gelu"] is True
    assert report.layout == "OpenAI"
    assert report.missing == []
    assert {p.dtype for p in clip.parameters()} == {torch.float32}


def test_the_user_must_say_whether_open_clips_weights_use_quick_gelu(tmp_path) -> None:
    with torch.device("meta"):
        shapes = create_clip("RN50").network.state_dict()
    raw = {name: torch.zeros(value.shape) for name, value in shapes.items()}
    with pytest.raises(SourceError, match="give the architecture RN50-quickgelu"):
        clip_import.extract_clip(raw, tmp_path / "f.pt", "teacher")


@pytest.mark.parametrize("tower", ["vit", "vit-average", "convnext"])
def test_other_towers_come_from_open_clips_files(tmp_path, tower) -> None:
    original = tiny.tiny_clip(tmp_path, tower)
    save_file(dict(original.network.state_dict()), tmp_path / "f.safetensors")
    clip, report = import_clip(
        tmp_path / "f.safetensors", "teacher", foreign.architecture(tmp_path, tower)
    )
    assert not clip.spec.config.get("quick_gelu")
    assert report.unused == []
    pixels = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(clip.encode_images(pixels), original.encode_images(pixels))


def test_a_file_for_another_architecture_is_refused_naming_a_tensor(tmp_path) -> None:
    path = foreign.save(foreign.pretrained(tmp_path), tmp_path / "f.pth")
    config = tiny.config()
    config["vision_cfg"]["layers"] = [1, 2, 1, 1]
    (tmp_path / "other.json").write_text(json.dumps(config))
    with pytest.raises(SourceError, match=r"f.pth lacks batch-norm statistics \(visual.layer2.1"):
        import_clip(path, "student", str(tmp_path / "other.json"))
    config = tiny.config() | {"embed_dim": 16}
    (tmp_path / "other.json").write_text(json.dumps(config))
    with pytest.raises(SourceError, match=r"is \(.*\), not \("):
        import_clip(path, "student", str(tmp_path / "other.json"))


def test_a_model_without_a_language_encoder_refuses_texts(tmp_path) -> None:
    raw = foreign.renamed(tiny.tiny_clip(tmp_path), text="")
    clip, report = import_clip(
        foreign.save(raw, tmp_path / "f.pth"), "student", foreign.architecture(tmp_path)
    )
    assert not clip.spec.language
    assert report.unused == []
    save_clip(clip, tmp_path / "model.json", tmp_path / "w.safetensors")
    again = read_clip(tmp_path / "model.json", tmp_path / "w.safetensors")
    with pytest.raises(SourceError, match=r"has no language encoder.*concept embeddings"):
        encode_texts(again, ["a dog"])
    assert language_digest(clip) == "none"
    again.freeze_as_reference()


def test_only_equal_language_encoders_have_equal_digests(tmp_path) -> None:
    path = foreign.save(foreign.pretrained(tmp_path), tmp_path / "f.pth")
    config = foreign.architecture(tmp_path)
    student, teacher = (import_clip(path, kind, config)[0] for kind in ("student", "teacher"))
    assert language_digest(student) == language_digest(teacher)
    assert language_digest(student) != language_digest(tiny.tiny_clip(tmp_path, seed=5))
    plain = foreign.architecture(tmp_path, quick_gelu=False)
    assert language_digest(student) != language_digest(import_clip(path, "student", plain)[0])


def test_the_bias_of_a_sigmoid_loss_is_kept(tmp_path) -> None:
    state = tiny.tiny_clip(tmp_path, "vit").network.state_dict()
    save_file(dict(state) | {"logit_bias": torch.tensor(-7.5)}, tmp_path / "w.safetensors")
    clip, report = import_clip(
        tmp_path / "w.safetensors", "teacher", architecture=str(tmp_path / "vit.json")
    )
    assert clip.network.logit_bias == -7.5
    assert not report.unused
