"""Evaluate: how well a teacher or student recognises objects it was never taught to name.

With ground-truth boxes: is the true category the most probable one (top-1, top-5)? And, taking
every category a box may be as a detection, average precision. With proposals: AP and AR as COCO
defines them. What was measured, and how, is in the note `protocol` of the manifest; what was said
about each box is in detections.parquet beside the rows.

Average precision ranks the detections of all images together, so this is one task over all parts
and a second worker would have nothing to do; memory holds the objects and detections.

Shapes: R boxes of an image, N objects, K categories.

Source: RegionCLIP (arXiv:2112.09106), zero-shot inference; defaults as in its COCO configuration.
Federated evaluation (LVIS: categories known to be absent from an image) is not done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from schemas.boxes import clip as clip_boxes
from schemas.errors import ArtifactError, OptionError, SourceError
from schemas.images import IMAGES
from schemas.metrics import METRICS
from schemas.proposals import PROPOSALS
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, Stage, each, option, whole
from stages.evaluation.scenes import Proposals, found_categories, images, objects_of
from stages.evaluation.scores import FORMULAS
from stages.evaluation.vocabulary import (
    Vocabulary,
    make_vocabulary,
    read_categories,
    read_splits,
    shortened,
)
from stages.models.size import Size
from stages.sources.files import digest_of, file_digest
from stages.text.templates import read_templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from schemas.table import Table
    from stages.evaluation.exam import Exam, Rules
    from stages.models.network import Clip

_PROMPTS = 1024  # encoded together


@dataclass(frozen=True, kw_only=True)
class Evaluate(Stage):
    """Measure zero-shot recognition of a teacher or student against ground truth."""

    boxes: str = option(
        "ground-truth",
        "what is named: the boxes people drew, or proposals",
        choices=("ground-truth", "proposals"),
    )
    pooling: str = option(
        "roialign",
        "roialign on one feature map of the image, or crop each box and classify it as an image",
        choices=("roialign", "crop"),
    )
    crop_margin: float = option(
        0.0, "added to each side of a crop, share of the box's width and height", at_least=0
    )
    categories: Path | None = option(
        None,
        "vocabulary: a name per line, or a JSON list; default: --splits, else all in the images",
        recipe=False,
    )
    splits: Path | None = option(
        None, 'JSON such as {"base": [...], "novel": [...]}: metrics for each', recipe=False
    )
    unlisted: str = option(
        "refuse",
        "objects whose category the vocabulary lacks: refuse the images, or ignore the objects",
        choices=("refuse", "ignore"),
    )
    templates: str = option(
        "paper",
        "prompt templates: paper (81), plain ('a photo of a {}.'), or a file, one per line",
        recipe=False,
    )
    averaging: str = option(
        "reference",
        "over prompts: reference (mean as they are) or openai (normalise, mean, normalise)",
        choices=("reference", "openai"),
    )
    temperature: float = option(0.01, "divides cosine similarity; lower is sharper", above=0)
    resize: str = option(
        "800x1333", "image for roialign: SHORTESTxLONGEST side in pixels, native, or none"
    )
    interpolation: str = option(
        "bilinear", "of the image, or of the crops", choices=("bilinear", "bicubic")
    )
    score: str = option(
        "auto",
        "ranks detections: probability; sqrt-objectness, the root of probability times "
        "objectness; sqrt-logit, with the raw logit as published; auto: sqrt-objectness for "
        "proposals",
        choices=("auto", *FORMULAS),
    )
    score_threshold: float = option(0.001, "leave out detections of this score or less")
    nms: float = option(
        0.5, "IoU above which the less sure of two boxes of a category goes", at_least=0, at_most=1
    )
    detections_per_image: int = option(100, "keep the surest of an image", at_least=1)

    name: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "proposals": each(PROPOSALS, optional=True),
        "model": whole(TEACHERS, also=(STUDENTS,)),
    }
    writes: ClassVar[Table] = METRICS
    gang: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        Size.parse(self.resize, native=1)
        if self.boxes == "ground-truth" and self.score not in ("auto", "probability"):
            raise OptionError(
                f"rc evaluate: --score {self.score} needs an objectness, which ground-truth boxes "
                f"do not have; use --boxes proposals or --score probability"
            )

    def requires(self) -> Mapping[str, Reads]:
        """See `Stage.requires`: proposals only if they are what is named."""
        if self.boxes == "ground-truth":
            return {role: reads for role, reads in self.reads.items() if role != "proposals"}
        return {**self.reads, "proposals": each(PROPOSALS)}

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: the prompt templates and the lists of names."""
        lists = {"categories": self.categories, "splits": self.splits}
        return {
            "templates": digest_of(*read_templates(self.templates)),
            **{role: file_digest(str(path)) for role, path in lists.items() if path},
        }

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the metrics.

        Raises:
            ArtifactError: If the inputs leave nothing to measure, or cannot be compared.
        """
        from stages.evaluation.detections_file import DetectionsFile
        from stages.evaluation.exam import Exam
        from stages.evaluation.metrics import as_rows
        from stages.models.text_embeddings import embed_names

        vocabulary = self._vocabulary(part)
        templates = read_templates(self.templates)
        clip = self._model(part)
        embeddings = embed_names(clip, vocabulary.names, templates, self.averaging, _PROMPTS)
        with DetectionsFile(part.attach("detections.parquet"), vocabulary) as file:
            exam = Exam(vocabulary, embeddings.numpy(), self._rules(), file)
            for row, proposals in images(part, proposed=self.boxes == "proposals"):
                self._examine(part, exam, clip, row, proposals)
                part.advance()
        metrics = exam.metrics()
        part.note("protocol", self._protocol(exam, templates))
        yield as_rows(metrics)

    def _vocabulary(self, part: Part) -> Vocabulary:
        categories = read_categories(self.categories) if self.categories else None
        splits = read_splits(self.splits) if self.splits else {}
        found = found_categories(part)
        vocabulary = make_vocabulary(categories, splits, found)
        missing = vocabulary.missing(found)
        if missing and self.unlisted == "refuse":
            raise ArtifactError(
                f"{len(missing)} categories of the images are not in the vocabulary "
                f"({shortened(missing)}); add them to it, or leave their objects out with "
                f"--unlisted ignore"
            )
        return vocabulary

    def _model(self, part: Part) -> Clip:
        from stages.models import device
        from stages.models.clip import load_clip

        device.set_threads(self.threads)
        device.deterministic()
        return load_clip(
            part.attachment("model", "model.json"),
            part.attachment("model", "weights.safetensors"),
            self.device,
        )

    def _rules(self) -> Rules:
        from stages.evaluation.exam import Rules

        by_itself = "probability" if self.boxes == "ground-truth" else "sqrt-objectness"
        return Rules(
            temperature=self.temperature,
            score=by_itself if self.score == "auto" else self.score,
            score_threshold=self.score_threshold,
            nms=self.nms,
            detections_per_image=self.detections_per_image,
        )

    def _examine(
        self, part: Part, exam: Exam, clip: Clip, row: Mapping[str, Any], proposals: Proposals
    ) -> None:
        """Enter one image; if it cannot be read it goes to quarantine, its objects uncounted."""
        objects = objects_of(row, exam.vocabulary)
        named = objects.single()
        boxes = named.boxes if self.boxes == "ground-truth" else proposals.boxes
        try:
            features = self._features(clip, row, boxes) if len(boxes) else None
        except SourceError as error:
            part.refuse(str(row["image_id"]), "unreadable", str(error))
            return
        exam.begin(row["image_id"], row["width"], row["height"], objects)
        if features is None:
            return
        if self.boxes == "ground-truth":
            exam.classify(row["image_id"], named, features)
        else:
            inside = replace(proposals, boxes=clip_boxes(boxes, row["width"], row["height"]))
            exam.detect(row["image_id"], inside, features)

    def _features(
        self, clip: Clip, row: Mapping[str, Any], boxes: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        from stages.evaluation.recognise import Look, region_features
        from stages.pixels import load_image

        look = Look(self.pooling, self.resize, self.interpolation, self.crop_margin)
        return region_features(clip, load_image(row), boxes, look)

    def _protocol(self, exam: Exam, templates: Sequence[str]) -> dict[str, Any]:
        crop = self.pooling == "crop"
        view = {"crop_margin": self.crop_margin} if crop else {"resize": self.resize}
        return {
            "boxes": self.boxes,
            "pooling": self.pooling,
            **view,
            "interpolation": self.interpolation,
            "templates": list(templates),
            "averaging": self.averaging,
            "unlisted": self.unlisted,
            **exam.protocol(),
        }
