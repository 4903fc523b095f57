"""Pretrain: a teacher of a tiny world, or one that is only imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from schemas.errors import OptionError, SourceError, StageError
from schemas.teachers import TEACHERS
from stages.import_weights import ImportWeights
from stages.models.clip import ClipSpec, create_clip, read_clip, save_clip
from stages.models.preprocessing import CLIPS
from stages.outcome import Result
from stages.pretrain import Pretrain
from stages.training.pretraining import LARGEST_LOG_SCALE, PairBatch, Pretraining
from tests.in_memory import InMemory
from tests.stages.models.texts import encode_texts
from tests.stages.training import tiny
from tests.stages.training.terms import terms_of


def run(part: InMemory, **changes: Any) -> list[dict[str, Any]]:
    options = {
        "model": str(tiny.describe(part.folder)),
        "steps": 10,
        "images_per_batch": 6,
        "log_every": 3,
        "device": "cpu",
        "threads": 1,
    }
    (rows,) = Pretrain(**(options | changes)).run(part)
    TEACHERS.check(rows)
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


@pytest.mark.slow
def test_a_teacher_learns_which_caption_belongs_to_which_image(tmp_path: Path) -> None:
    begun = tmp_path / "begun.safetensors"
    save_clip(tiny.clip(tmp_path), tmp_path / "begun.json", begun)
    options = {"pretrained": str(begun), "steps": 60, "log_every": 15, "learning_rate": 0.003}
    rows = run(tiny.captioned(tmp_path), **options)
    assert rows[-1]["loss"] < rows[0]["loss"] / 2
    assert rows[-1]["accuracy"] > 0.5
    assert [row["images"] for row in rows] == [90, 180, 270, 360]
    made = read_clip(tmp_path / "model.json", tmp_path / "weights.safetensors")
    assert made.width == tiny.WIDTH


@pytest.mark.slow
def test_the_temperature_is_learned_from_where_it_was_set(tmp_path: Path) -> None:
    rows = run(tiny.captioned(tmp_path), steps=2, log_every=1, initial_temperature=0.02)
    assert rows[0]["logit_scale"] == pytest.approx(50, rel=0.05)
    assert rows[0]["logit_scale"] != rows[1]["logit_scale"]


def named_teacher(part: InMemory, folder: Path) -> InMemory:
    """The part with the weights of `folder` as its teacher."""
    part.files |= {
        ("teacher", name): folder / name for name in ("model.json", "weights.safetensors")
    }
    return part


@pytest.mark.slow
def test_training_goes_on_from_a_named_teacher(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    run(tiny.captioned(first), steps=2)
    part = named_teacher(tiny.captioned(tmp_path), first)
    run(part, model="unread", steps=0)
    names = ("model.json", "weights.safetensors")
    assert [(tmp_path / n).read_bytes() for n in names] == [(first / n).read_bytes() for n in names]
    with pytest.raises(OptionError, match="--teacher and --pretrained both name"):
        run(part, pretrained="openai")


class KilledError(Exception):
    pass


@pytest.mark.slow
def test_a_killed_run_ends_in_the_same_bytes(tmp_path: Path) -> None:
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
    expected = run(tiny.captioned(tmp_path / "undisturbed"), checkpoint_every=4)
    part = tiny.captioned(tmp_path / "killed")

    def die(count: int = 1) -> None:
        part.advanced += count
        if part.advanced >= 9:
            raise KilledError

    part.advance = die
    with pytest.raises(KilledError):
        run(part, checkpoint_every=4)
    assert run(tiny.captioned(tmp_path / "killed"), checkpoint_every=4) == expected
    killed, undisturbed = (
        (tmp_path / name / "weights.safetensors").read_bytes() for name in ("killed", "undisturbed")
    )
    assert killed == undisturbed


@pytest.mark.slow
def test_images_without_a_caption_are_left_out(tmp_path: Path) -> None:
    part = tiny.captioned(tmp_path, {n: [] for n in range(3, 12)})
    rows = run(part, steps=None, epochs=4, images_per_batch=3)
    assert rows[-1]["step"] == 4


def test_no_caption_anywhere_is_one_sentence(tmp_path: Path) -> None:
    part = tiny.captioned(tmp_path, {n: [] for n in range(12)})
    with pytest.raises(StageError, match="no image is left to train on"):
        run(part)


@pytest.mark.slow
def test_no_steps_import_the_weights_as_they_are(tmp_path: Path) -> None:
    given = tiny.clip(tmp_path, seed=3)
    save_clip(given, tmp_path / "given.json", tmp_path / "given.safetensors")
    stage = Pretrain(
        model=str(tmp_path / "given.json"), pretrained=str(tmp_path / "given.safetensors"), steps=0
    )
    assert set(stage.requires()) == {"teacher"}
    (rows,) = stage.run(InMemory({}, tmp_path))
    TEACHERS.check(rows)
    assert rows.num_rows == 0
    found, expected = load_file(tmp_path / "weights.safetensors"), given.network.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_training_needs_images() -> None:
    assert set(Pretrain().requires()) == {"images", "teacher"}


@pytest.mark.slow
def test_a_frozen_language_encoder_stays_as_it_was(tmp_path: Path) -> None:
    part = tiny.captioned(tmp_path)
    run(part, freeze_text=True, steps=4)
    before = create_clip(str(tmp_path / "tiny.json"), seed=0).network.state_dict()
    after = load_file(tmp_path / "weights.safetensors")
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"visual", "logit_scale"}


def test_the_temperature_never_falls_below_a_hundredth(tmp_path: Path) -> None:
    clip = tiny.clip(tmp_path)
    learner = Pretraining(clip, "float32", freeze_text=False)
    with torch.no_grad():
        clip.logit_scale.fill_(LARGEST_LOG_SCALE + 1)
    assert learner.after_step()["logit_scale"] == pytest.approx(100)


def test_loss_and_accuracy_equal_their_plain_forms(tmp_path: Path) -> None:
    clip = tiny.clip(tmp_path)
    learner = Pretraining(clip, "float32", freeze_text=False)
    clip.eval()
    pixels = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    captions = ["a red square", "two blue squares", "a cat", "nothing at all here"]
    terms = terms_of(learner, PairBatch(pixels, captions))
    with torch.no_grad():
        images = torch.nn.functional.normalize(clip.encode_images(pixels).double(), dim=1)
        texts = torch.nn.functional.normalize(encode_texts(clip, captions).double(), dim=1)
        logits = clip.logit_scale.double().exp() * images @ texts.T
    rows, columns = logits.softmax(dim=1).diagonal(), logits.softmax(dim=0).diagonal()
    expected = -(rows.log() + columns.log()).mean() / 2
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-4)
    right = logits.argmax(dim=1) == torch.arange(4)
    assert terms["accuracy"].item() == pytest.approx(right.double().mean().item())
    terms["loss"].backward()
    assert clip.logit_scale.grad is not None


def test_files_are_known_by_name_and_content_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    stages = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        (folder / "w.safetensors").write_bytes(b"weights")
        stages.append(
            Pretrain(model=str(tiny.describe(folder)), pretrained=str(folder / "w.safetensors"))
        )
    assert stages[0].recipe() == stages[1].recipe()
    assert stages[0].digests() == stages[1].digests()
    assert set(stages[0].digests()) == {"model", "pretrained"}
    (tmp_path / "b" / "open_clip_config.json").write_text("{}")
    assert set(stages[1].digests()) == {"model", "pretrained", "description"}
    assert stages[0].recipe() == stages[1].recipe()
    (tmp_path / "b" / "open_clip_config.json").unlink()
    (tmp_path / "b" / "w.safetensors").write_bytes(b"others")
    assert stages[0].digests() != stages[1].digests()


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["OpenAI", "open_clip"])
def test_weights_have_the_activation_that_an_import_gives_them(tmp_path, layout: str) -> None:
    state = dict(tiny.clip(tmp_path).network.state_dict())
    scalars = {"input_resolution": torch.tensor(64)} if layout == "OpenAI" else {}
    torch.save(state | scalars, tmp_path / "w.pt")
    model, file = str(tiny.describe(tmp_path)), str(tmp_path / "w.pt")
    options: dict[str, Any] = {"device": "cpu", "threads": 1}
    written = []
    for name, stage in (
        ("a", Pretrain(model=model, pretrained=file, steps=0, **options)),
        ("b", ImportWeights(file=file, kind="teacher", architecture=model, **options)),
    ):
        (tmp_path / name).mkdir()
        part = InMemory({}, folder=tmp_path / name)
        list(stage.run(part))
        made = [tmp_path / name / end for end in ("model.json", "weights.safetensors")]
        written.append([path.read_bytes() for path in made])
        said = stage.outcome(Result(0, {}, part.notes)).summary[-1]
        assert said.startswith("QuickGELU" if layout == "OpenAI" else "GELU")
        assert "mean 0.481, 0.458, 0.408" in said
    assert written[0] == written[1]
    assert (b"quick_gelu" in written[0][0]) is (layout == "OpenAI")


@pytest.mark.slow
def test_the_bundled_teacher_has_gelu_and_clips_preprocessing(tmp_path: Path) -> None:
    data = Path(__file__).parents[2] / "data" / "demo"
    model, weights = data / "teacher_model.json", data / "teacher.safetensors"
    stage = Pretrain(model=str(model), pretrained=str(weights), steps=0, device="cpu", threads=1)
    list(stage.run(InMemory({}, tmp_path)))
    spec = ClipSpec.read(tmp_path / "model.json")
    assert not spec.config.get("quick_gelu")
    assert spec.preprocessing == CLIPS
    found, expected = load_file(tmp_path / "weights.safetensors"), load_file(weights)
    assert found.keys() - expected.keys() == set()
    for name, value in expected.items():
        assert torch.equal(found[name], value.float()), name


def test_names_known_to_open_clip_are_no_files() -> None:
    assert Pretrain(model="RN50", pretrained="openai").digests() == {}


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.json cannot be read"):
        Pretrain(model=str(tmp_path / "none.json")).digests()


def test_zoom_has_an_order() -> None:
    with pytest.raises(OptionError, match="--zoom-min must be at most --zoom-max"):
        Pretrain(zoom_min=2.0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 2e-2), ("bfloat16", 0.1)])
def test_cuda_pretrains_like_the_cpu(tmp_path: Path, precision: str, tolerance: float) -> None:
    cpu = run(tiny.captioned(tmp_path), steps=3, log_every=1)
    cuda = run(tiny.captioned(tmp_path), steps=3, log_every=1, device="cuda", precision=precision)
    for a, b in zip(cpu, cuda, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=tolerance)
