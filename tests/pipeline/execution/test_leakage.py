"""What an evaluation is told of the boxes it was given."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pipeline.execution import inputs
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError
from schemas.metrics import METRICS
from schemas.proposals import PROPOSALS
from schemas.rpns import RPNS
from stages import evaluate
from stages.base import Part, Reads, each, option, whole
from stages.evaluation.metrics import Metric, metric_rows
from tests.pipeline import toys
from tests.pipeline.helpers import make
from tests.pipeline.toys import Toy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from schemas.table import Table

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class TrainRpn(Toy):
    weights: str = option("", "imported to begin with", recipe=False)
    only_categories: tuple[str, ...] = option((), "boxes of these alone", recipe=False)
    told: bool = option(True, "whether it says which", recipe=False)
    steps: int = option(1, "steps")

    name: ClassVar[str] = "train-rpn"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(toys.IMAGES)}
    writes: ClassVar[Table] = RPNS
    single_task: ClassVar[bool] = True

    def requires(self) -> Mapping[str, Reads]:
        return self.reads if self.steps else {}

    def digests(self) -> Mapping[str, str]:
        given = {"weights": self.weights, "only_categories": " ".join(self.only_categories)}
        return {k: hashlib.sha256(v.encode()).hexdigest() for k, v in given.items() if v}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        if self.only_categories and self.told:
            part.note("categories", list(self.only_categories))
        yield RPNS.empty()


@dataclass(frozen=True, kw_only=True)
class Propose(Toy):
    from_file: str = option("", "boxes of another", recipe=False)
    random: bool = option(False, "anywhere")
    select_only: bool = option(False, "from a dump")
    nms: float = option(0.9, "overlap")
    pre_nms: int | None = option(None, "before that")

    name: ClassVar[str] = "propose"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(toys.IMAGES),
        "rpn": whole(RPNS),
        "dump": each(PROPOSALS, optional=True),
    }
    writes: ClassVar[Table] = PROPOSALS

    def requires(self) -> Mapping[str, Reads]:
        roles = {"images"}
        if self.select_only:
            roles.add("dump")
        elif not (self.from_file or self.random):
            roles.add("rpn")
        return {role: reads for role, reads in self.reads.items() if role in roles}

    def digests(self) -> Mapping[str, str]:
        return {"from": self.from_file} if self.from_file else {}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        if "rpn" in self.requires():
            part.note("network", {"pre_nms": self.pre_nms or 6000})
        yield from toys.Propose(dump=False).run(part)


@dataclass(frozen=True, kw_only=True)
class Evaluate(Toy):
    novel: tuple[str, ...] = option(("cat", "bus"), "never boxed")
    published: str = option("", "what a protocol says of how to propose, and its number")

    name: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(toys.IMAGES),
        "proposals": each(PROPOSALS, optional=True),
        "embeddings": whole(CONCEPT_EMBEDDINGS, optional=True, named=True),
    }
    writes: ClassVar[Table] = METRICS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        name, _, number = self.published.partition(" ")
        published = {"proposals_published": {name: float(number)}} if name else {}
        part.note("protocol", {"nms": 0.5, "deviations": {"score": "other"}, **published})
        part.note("warnings", ["one of its own"])
        if self.novel is not None:
            part.note("novel", list(self.novel))
        yield metric_rows([Metric("top1", "all", "", 0.5, 1)])


def judged(root: Path, proposals: str, **options: Any) -> dict[str, Any]:
    return make(Evaluate(**options), root, {"proposals": proposals}).manifest.notes


@pytest.fixture
def images(root: Path) -> str:
    return make(toys.Ingest(count=5), root).address  # dog, cat, car, tree, bus


def test_an_rpn_that_saw_novel_boxes_is_named_with_what_it_saw(root: Path, images: str) -> None:
    rpn = make(TrainRpn(), root, {"images": images})
    boxes = make(Propose(nms=0.7), root, {"images": images, "rpn": rpn.address})
    notes = judged(root, boxes.address)
    assert notes["protocol"]["nms"] == 0.5
    told = notes["protocol"]["localizer"]
    assert told["proposals"] == boxes.address
    assert (told["source"], told["rpn"]) == ("rpn", rpn.address)
    assert told["selection"]["nms"] == 0.7
    assert told["novel_seen"] == ["bus", "cat"]
    own, warning = notes["warnings"]
    assert own == "one of its own"
    assert rpn.address in warning
    assert "2 novel categories ('bus', 'cat')" in warning


def test_an_rpn_of_base_boxes_alone_gives_no_warning(root: Path, images: str) -> None:
    only = TrainRpn(only_categories=("dog", "car"))
    make(Propose(), root, {"rpn": make(only, root, {"images": images}).address})
    notes = judged(root, "proposals")
    assert notes["protocol"]["localizer"]["novel_seen"] == []
    assert notes["warnings"] == ["one of its own"]


def test_a_filter_that_let_a_novel_category_through_is_seen(root: Path, images: str) -> None:
    only = TrainRpn(only_categories=("dog", "cat"))
    make(Propose(), root, {"rpn": make(only, root, {"images": images}).address})
    assert judged(root, "proposals")["protocol"]["localizer"]["novel_seen"] == ["cat"]


@pytest.mark.parametrize(
    "rpn",
    [
        TrainRpn(steps=0),
        TrainRpn(weights="mask rcnn"),
        TrainRpn(only_categories=("dog",), told=False),
    ],
)
def test_what_an_imported_network_saw_is_recorded_as_unknown(
    root: Path, images: str, rpn: TrainRpn
) -> None:
    made = make(rpn, root, {"images": images})
    make(Propose(), root, {"images": images, "rpn": made.address})
    notes = judged(root, "proposals")
    assert notes["protocol"]["localizer"]["novel_seen"] == "unknown"
    assert "is unknown" in notes["warnings"][1]


def test_imported_boxes_are_of_an_unknown_localizer_and_random_ones_of_none(
    root: Path, images: str
) -> None:
    imported = make(Propose(from_file="yolox"), root, {"images": images})
    told = judged(root, imported.address)["protocol"]["localizer"]
    assert (told["source"], told["novel_seen"]) == ("imported", "unknown")
    chance = make(Propose(random=True), root, {"images": images})
    notes = judged(root, chance.address)
    assert notes["protocol"]["localizer"]["source"] == "random"
    assert notes["warnings"] == ["one of its own"]


def test_boxes_selected_anew_are_those_of_their_dump(root: Path, images: str) -> None:
    rpn = make(TrainRpn(), root, {"images": images})
    dump = make(Propose(), root, {"rpn": rpn.address})
    anew = make(Propose(select_only=True, nms=0.3), root, {"dump": dump.address})
    told = judged(root, anew.address)["protocol"]["localizer"]
    assert told["novel_seen"] == ["bus", "cat"]
    assert (told["dump"], told["selection"]["nms"]) == (dump.address, 0.3)


def test_a_selection_that_is_not_the_published_one_is_a_deviation(root: Path, images: str) -> None:
    make(Propose(random=True, nms=0.9), root, {"images": images})
    protocol = judged(root, "proposals", published="nms 0.9")["protocol"]
    assert protocol["deviations"] == {"score": "other"}
    make(Propose(random=True, nms=0.5), root, {"images": images})
    protocol = judged(root, "proposals", published="nms 0.9")["protocol"]
    told = {"preset": "0.9", "used": "0.5"}
    assert protocol["deviations"] == {"score": "other", "propose nms": told}
    assert "proposals_published" not in protocol


@pytest.mark.parametrize(("asked", "used"), [(None, 6000), (1000, 1000)])
def test_how_many_boxes_came_before_suppression_is_what_the_network_gave(
    root: Path, images: str, asked: int | None, used: int
) -> None:
    rpn = make(TrainRpn(), root, {"images": images})
    dump = make(Propose(pre_nms=asked), root, {"rpn": rpn.address})
    anew = make(Propose(select_only=True), root, {"dump": dump.address})
    for boxes in (dump, anew):
        protocol = judged(root, boxes.address, published="pre_nms 6000")["protocol"]
        assert protocol["localizer"]["selection"]["pre_nms"] == used
        told = {"propose pre_nms": {"preset": "6000.0", "used": "1000"}} if asked else {}
        assert protocol["deviations"] == {"score": "other", **told}


def test_before_suppression_nothing_is_known_of_boxes_without_a_network(
    root: Path, images: str
) -> None:
    make(Propose(from_file="yolox"), root, {"images": images})
    protocol = judged(root, "proposals", published="pre_nms 1000")["protocol"]
    told = {"preset": "1000.0", "used": "unknown"}
    assert protocol["deviations"]["propose pre_nms"] == told


def test_without_novel_categories_nothing_is_warned_of(root: Path, images: str) -> None:
    make(Propose(from_file="yolox"), root, {"images": images})
    assert judged(root, "proposals", novel=())["warnings"] == ["one of its own"]


def test_given_embeddings_are_named_and_read_only_if_named(root: Path, images: str) -> None:
    make(toys.ExtractConcepts(), root)
    make(toys.Pretrain(), root)
    embeddings = make(toys.EmbedConcepts(), root)
    make(Propose(random=True), root)
    assert "embeddings_address" not in judged(root, "proposals")["protocol"]
    made = make(Evaluate(), root, {"embeddings": embeddings.address})
    assert made.manifest.notes["protocol"]["embeddings_address"] == embeddings.address
    assert made.manifest.notes["warnings"] == ["one of its own"]


def test_other_stages_keep_their_notes_as_they_are(root: Path, images: str) -> None:
    boxes = make(Propose(from_file="yolox"), root, {"images": images})
    assert "protocol" not in boxes.manifest.notes


def test_embeddings_by_another_models_language_encoder_are_refused(root: Path, images: str) -> None:
    make(toys.ExtractConcepts(), root)
    one = make(toys.Pretrain(seed=1), root)
    other = make(toys.Pretrain(seed=2), root)
    embeddings = make(toys.EmbedConcepts(), root, {"teacher": other.address})
    pins = {"model": one.address, "embeddings": embeddings.address, "images": images}
    with pytest.raises(ArtifactError, match=f"different language encoders.*{one.address}"):
        inputs.resolve(evaluate.Evaluate(), pins, root)
    agreed = inputs.resolve(evaluate.Evaluate(), {**pins, "model": other.address}, root)
    assert agreed["embeddings"].path == embeddings.path
