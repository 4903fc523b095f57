"""Labels whose features were made on the way and not stored, against those of the two steps."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from pipeline.demo import weights_folder
from pipeline.execution import inputs, planning, runner
from pipeline.gallery.folder import FolderRequest, write_folder
from pipeline.gallery.server import make_app
from pipeline.progress import Silent
from pipeline.recipes import recipe
from pipeline.store import catalog, parts
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError, StageError
from stages.embed_concepts import EmbedConcepts
from stages.extract_concepts import ExtractConcepts
from stages.featurize import Featurize
from stages.featurizing.feature_stage import FEATURE_OPTIONS, FEATURE_VERSION
from stages.import_weights import ImportWeights
from stages.ingest import Ingest
from stages.label import Label
from stages.pretrain import Pretrain
from stages.propose import Propose
from stages.synthetic.dataset_writers import write_scenes
from stages.train import Train
from tests.in_memory import InMemory
from tests.pipeline.helpers import Listener, make
from tests.stages.featurizing.boxed_images import image_row, images, proposals
from tests.stages.models.tiny import tiny_files
from tests.stages.test_label import pool

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

SMALL = {"resize": "96x200"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of seven scenes in two parts, up to proposals; one image was replaced since."""
    folder = tmp_path_factory.mktemp("on_the_way")
    root, weights = folder / "store", weights_folder()
    write_scenes(folder / "scenes", "scenes", 7, seed=3, size=(96, 80))
    make(Ingest(sources=(str(folder / "scenes"),), part_images=4), root)
    replaced, other = sorted((folder / "scenes").rglob("*.jpg"))[1:3]
    replaced.write_bytes(other.read_bytes())
    make(ExtractConcepts(min_frequency=1), root)
    model, trained = (str(weights / name) for name in ("teacher_model.json", "teacher.safetensors"))
    make(ImportWeights(file=trained, kind="teacher", architecture=model), root)
    make(EmbedConcepts(templates="plain"), root)
    make(Propose(random=True, regions=9), root)
    return root


def hashes(artifact: Artifact) -> list[str]:
    return [part.sha256 for part in artifact.parts]


def quarantined(artifact: Artifact) -> list[dict[str, Any]]:
    files = artifact.attachments("quarantine.parquet")
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("feature_options", "label_options"),
    [
        (SMALL, {}),
        ({**SMALL, "whole_image": False, "dtype": "float32"}, {"among": "captions"}),
        ({"pooling": "crop", "crop_margin": 0.1}, {"top_k": 3, "keep_all_if_none": True}),
        ({**SMALL, "interpolation": "bicubic", "batch_images": 1, "batch_regions": 5}, {}),
    ],
)
def test_the_bytes_are_those_of_the_two_steps(
    root: Path, feature_options: dict[str, Any], label_options: dict[str, Any]
) -> None:
    features = make(Featurize(**feature_options), root)
    stored = make(Label(**label_options), root, {"features": features.address})
    labels = make(Label(from_images=True, **feature_options, **label_options), root)
    assert hashes(labels) == hashes(stored)
    assert labels.manifest.rows == 6 * 9
    assert quarantined(labels) == quarantined(features) + quarantined(stored)
    assert labels.manifest.dropped == features.manifest.dropped == {"changed": 1}
    assert "features" not in labels.manifest.inputs


@pytest.mark.slow
def test_what_images_lack_is_the_same_by_features_that_are_stored(root: Path) -> None:
    asked = {"absent": 4, "absent_up_to": 0.1}
    features = make(Featurize(**SMALL), root)
    stored = make(Label(**asked), root, {"features": features.address})
    found = make(Label(from_images=True, **SMALL, **asked), root)
    assert found.manifest.artifact == "presence"
    assert hashes(found) == hashes(stored)
    assert found.manifest.notes["presence"] == stored.manifest.notes["presence"]
    assert found.manifest.notes["presence"]["images"] == 6
    assert found.manifest.notes["presence"]["without_regions"] == 1  # the replaced one
    states = {row["state"] for row in pq.read_table(found.part(0)).to_pylist()}
    assert states <= {"absent", "unmet"}


@pytest.mark.slow
def test_what_featurize_says_of_images_is_said_of_the_labels(root: Path) -> None:
    labels = make(Label(from_images=True, **SMALL), root)
    assert labels.manifest.notes["images"] == {"seen": 7, "unreadable": 1, "without_regions": 0}
    (line,) = labels.manifest.notes["summary"]
    assert line.startswith("54 regions of 7 images labelled, ")
    assert "; 1 could not be read; temperature " in line
    assert " refused" not in line  # of regions, none was


@pytest.mark.slow
def test_a_limit_is_one_of_images(root: Path) -> None:
    features = make(Featurize(limit=5, **SMALL), root)
    stored = make(Label(), root, {"features": features.address})
    labels = make(Label(from_images=True, limit=5, **SMALL), root)
    assert hashes(labels) == hashes(stored)
    assert labels.manifest.notes["images"]["seen"] == 5


@pytest.mark.slow
def test_progress_is_one_of_images(root: Path) -> None:
    listener = Listener()
    make(Label(from_images=True, top_k=1, **SMALL), root, reporter=listener)
    assert listener.started == [("label", 7, "images")]
    assert listener.count == 7


@pytest.mark.slow
def test_a_run_that_ended_in_the_middle_goes_on_to_the_same_bytes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Label(from_images=True, **SMALL)
    chosen = inputs.resolve(stage, {}, root)
    whole = runner.materialize(stage, chosen, root)
    publish = parts.publish

    def full_disk(*given: Any) -> parts.Receipt:
        if given[2].part.number == 1:
            raise StageError("no more room")
        return publish(*given)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "publish", full_disk)
        with pytest.raises(StageError, match="1 of 2 parts failed; part 1 said: no more room"):
            runner.materialize(stage, chosen, tmp_path)
    labels = runner.materialize(stage, chosen, tmp_path)
    assert labels.manifest.run["resumed_parts"] == 1
    assert hashes(labels) == hashes(whole)


@pytest.mark.slow
def test_the_teacher_is_that_of_the_embeddings_and_no_other(root: Path, tmp_path: Path) -> None:
    teacher = catalog.find(root, "teachers")
    shutil.copytree(root, tmp_path / "store")
    other = make(Pretrain(model="small", steps=0), tmp_path / "store")
    assert catalog.find(tmp_path / "store", "teachers") == other
    found = inputs.resolve(Label(from_images=True), {}, tmp_path / "store")
    assert found["teacher"].address == teacher.address
    with pytest.raises(ArtifactError, match="made with different language encoders"):
        inputs.resolve(Label(from_images=True), {"teacher": other.address}, tmp_path / "store")


@pytest.mark.slow
def test_a_student_is_trained_on_what_the_labels_were_made_of(root: Path) -> None:
    labels = make(Label(from_images=True, **SMALL), root)
    chosen = inputs.resolve(Train(), {"pseudo_labels": labels.address}, root)
    made_of = labels.manifest.inputs
    roles = ("images", "proposals", "teacher", "embeddings")
    assert {role: chosen[role].address for role in roles} == {role: made_of[role] for role in roles}


@pytest.mark.slow
def test_images_are_read_in_place_of_features(root: Path, tmp_path: Path) -> None:
    found = inputs.resolve(Label(from_images=True), {}, root)
    assert list(found) == ["images", "proposals", "teacher", "embeddings", "mentions"]
    with pytest.raises(ArtifactNotFoundError, match="rc label needs features"):
        inputs.resolve(Label(), {}, tmp_path)


def test_embeddings_of_another_width_are_refused_before_a_feature_is_made(tmp_path: Path) -> None:
    boxes = proposals(("a", 0, [0, 0, 9, 9]))
    tables = {
        "images": images(image_row("a")),
        "proposals": boxes,
        "embeddings": pool(np.eye(7)[:3]),
    }
    part = InMemory(tables, files=tiny_files(tmp_path))
    with pytest.raises(ArtifactError, match=r"features have width \d+, concept embeddings 7"):
        list(Label(from_images=True, temperature=0.1, device="cpu").run(part))
    assert part.notes.keys() == {"similarity"}  # no image was counted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "role"),
    [({"from_images": True}, "features"), ({}, "images"), ({}, "teacher")],
)
def test_an_input_that_is_not_read_is_refused(
    root: Path, options: dict[str, bool], role: str
) -> None:
    with pytest.raises(OptionError, match=f"rc label: --{role} is not read with these options"):
        inputs.resolve(Label(**options), {role: f"{role}@00"}, root)


@pytest.mark.slow
def test_the_gallery_shows_such_labels_and_says_that_there_is_nothing_to_search_in(
    root: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(root, store, ignore=shutil.ignore_patterns("features", "pseudo_labels"))
    labels = make(Label(from_images=True, **SMALL), store)
    host = "localhost:1"
    with TestClient(make_app(store, [host]), base_url=f"http://{host}") as client:
        assert len(client.get("/api/image", params={"id": "scenes/000000"}).json()["regions"]) == 9
        assert client.get("/api/what-if", params={"probability": "0"}).json()["labels"] == 54
        answer = client.get("/api/search", params={"text": "a dog"})
    assert answer.status_code == 422
    assert f"{labels.address} was made by 'rc label --from-images'" in answer.json()["problem"]
    assert write_folder(store, tmp_path / "page", FolderRequest(), Silent()) == 7
    index = (tmp_path / "page" / "data" / "index.js").read_text()
    assert '\\"regions\\":0' in index.replace(" ", "")


def test_a_recipe_takes_it_and_its_student_is_the_teacher_of_the_next_round(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        """
        rounds = { student = "student", teaches = ["labels"], count = 2 }
        [[step]]
        run = "pretrain"
        as = "teacher"
        [[step]]
        run = "label"
        as = "labels"
        from-images = true
        resize = "96x200"
        teacher = "@teacher"
        [[step]]
        run = "train"
        as = "student"
        pseudo-labels = "@labels"
        """
    )
    _, labels, _, again, _ = recipe.load(path, {}).steps
    assert labels.options == again.options == {"from_images": True, "resize": "96x200"}
    assert Label(**labels.options).from_images
    assert labels.inputs == {"teacher": "@teacher"}
    assert again.inputs == {"teacher": "@student"}


def test_an_option_of_features_is_refused_where_none_are_made() -> None:
    with pytest.raises(OptionError, match=r"rc label: --resize is of --from-images; give that too"):
        Label(resize="96x200")
    with pytest.raises(OptionError, match=r"rc label: --loaders is of --from-images"):
        Label(loaders=0)


def test_what_decides_a_feature_is_in_the_recipe_only_where_features_are_made() -> None:
    plain, from_images = Label(), Label(from_images=True)
    decisive = {*FEATURE_OPTIONS, "from_images"} - {"loaders", "precision"}  # float32 is left out
    assert set(from_images.recipe()) - set(plain.recipe()) == decisive
    assert plain.digests() == {}
    assert from_images.digests() == {"featurize": f"version {FEATURE_VERSION}"}


def test_another_version_of_the_features_is_another_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fingerprint(stage: Label) -> str:
        return planning.fingerprint(stage, {}, stage.digests())

    before = [fingerprint(Label()), fingerprint(Label(from_images=True))]
    monkeypatch.setattr("stages.label.FEATURE_VERSION", FEATURE_VERSION + 1)
    after = [fingerprint(Label()), fingerprint(Label(from_images=True))]
    assert before[0] == after[0]
    assert len({*before, after[1]}) == 3
