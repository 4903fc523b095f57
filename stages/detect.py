"""Detect: what is where, in any images, out of any list of names, with any of our models.

A detector moves the boxes it is given and says how sure it is; a teacher or student names them
where they are. Names are embedded by the model's own language encoder unless embeddings are given;
a detector needs no list to say what it was taught.

Shapes: R proposals of an image, K categories, M detections of an image.

Source: RegionCLIP (arXiv:2112.09106), inference on images of one's own: threshold 0.02, NMS 0.3,
300 detections an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.detections import DETECTIONS
from schemas.detectors import DETECTORS
from schemas.errors import OptionError, SourceError
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, each, option, whole
from stages.evaluation.image_inputs import read_slice
from stages.evaluation.scores import boxes_of, combine, localizer_scores, select
from stages.evaluation.suppression import SoftNms
from stages.evaluation.vocabulary import list_digest, read_categories
from stages.models.dense_option import Dense, dense_option
from stages.models.network_stage import NetworkStage, described_precision
from stages.models.resizing import Size
from stages.models.similarity import (
    Probability,
    Temperature,
    chosen_bias,
    chosen_temperature,
    temperature_option,
)
from stages.outcome import Outcome, Result, counted, is_most
from stages.sources.files import digest_of
from stages.sources.name_checks import names_fault
from stages.sources.record import Refusal
from stages.text.prompt_options import Averaging, averaging_option, templates_option
from stages.text.templates import read_templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from schemas.table import Table
    from stages.evaluation.image_inputs import ImageProposals
    from stages.evaluation.scores import Detections, Formula
    from stages.models.detector import Detector

    _Found = tuple[str, tuple[Detections, NDArray[np.float32]] | Refusal]


@dataclass(frozen=True, kw_only=True)
class Detect(NetworkStage):
    """Find things of any names in images.

    With a detector, student or teacher.
    """

    names: str | None = option(None, 'what to look for, such as "cat, traffic light"')
    categories: Path | None = option(
        None, "what to look for: a file with a name per line, or a JSON list", recipe=False
    )
    templates: str = templates_option()
    averaging: Averaging = averaging_option()
    temperature: Temperature = temperature_option("the weights, a detector's is its own")
    probability: Probability = option(
        "softmax",
        "softmax over the names and a background; sigmoid: each name by itself, with the bias of "
        "weights trained by the sigmoid loss",
    )
    resize: str = option("800x1333", "SHORTESTxLONGEST side in pixels, native, or none")
    interpolation: Literal["bilinear", "bicubic"] = option("bilinear", "how to resize")
    dense: Dense = dense_option()
    score: Literal["auto", "probability", "sqrt-objectness", "sqrt-logit", "sqrt-sigmoid"] = option(
        "auto",
        "ranks detections, see rc evaluate; auto: probability with a detector, else "
        "sqrt-objectness",
    )
    score_threshold: float = option(0.02, "leave out detections of this score or less")
    nms: float = option(
        0.3,
        "IoU above which the box with the lower score of a category is dropped",
        at_least=0,
        at_most=1,
    )
    soft_nms: bool = option(False, "lower the score of overlapping boxes instead (gaussian)")
    detections_per_image: int = option(300, "the highest-scored of an image are kept", at_least=1)

    name: ClassVar[str] = "detect"
    everyday: ClassVar[tuple[str, ...]] = ("names", "categories", "model", "score_threshold")
    example: ClassVar[str] = 'rc detect --names "cat, traffic light"'
    version: ClassVar[int] = 3  # each operation of the network has one core
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "proposals": each(PROPOSALS),
        "model": whole(DETECTORS, also=(STUDENTS, TEACHERS)),
        "embeddings": whole(CONCEPT_EMBEDDINGS, optional=True, named=True),
    }
    writes: ClassVar[Table] = DETECTIONS

    def __post_init__(self) -> None:
        super().__post_init__()
        Size.parse(self.resize, native=1)
        if self.names is not None and self.categories is not None:
            raise OptionError("rc detect: give --names or --categories, not both")
        if self.names is not None and (fault := names_fault(_split(self.names))):
            raise OptionError(f"rc detect: --names {fault}; separate different names with commas")

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: the prompt templates and the list of names."""
        lists = {"categories": list_digest(self.categories)} if self.categories else {}
        templates = digest_of(*read_templates(self.templates))
        return {**super().digests(), "templates": templates, **lists}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield one row per detection, image by image, the surest first.

        Raises:
            ArtifactError: If there are no names to look for, a name has no embedding, or a score
                needs a number that the proposals lack.
        """
        from stages.models import device

        detector, score, bias = self._detector(part)
        part.note("protocol", self._protocol(detector, score, bias))
        images = {"seen": 0, "with_detections": 0, "unreadable": 0}

        def find(image: tuple[Mapping[str, Any], ImageProposals]) -> _Found:
            row, proposals = image
            try:
                return row["image_id"], self._find(detector, row, proposals, score, bias)
            except SourceError as error:
                return row["image_id"], Refusal.of(error)

        rows = read_slice(part, with_proposals=True)
        for image_id, found in device.in_order(rows, find, detector.embeddings.device):
            part.advance()
            images["seen"] += 1
            if isinstance(found, Refusal):
                part.refuse(image_id, found.reason, found.detail)
                images["unreadable"] += 1
            elif len(found[0].region):
                images["with_detections"] += 1
                yield _rows(image_id, *found, detector.head.categories)
        part.count("images", images)

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: detections, and the images that have any."""
        images = result.notes["images"]
        unreadable, seen = images["unreadable"], images["seen"]
        line = (
            f"{counted(result.rows, 'detection')} in {images['with_detections']:,} "
            f"of {counted(seen, 'image')}"
        )
        if unreadable:
            line += f"; {unreadable:,} could not be read"
        line += described_precision(result.notes)
        losses = [f"{unreadable:,} of {counted(seen, 'image')} could not be read"]
        empty = None if result.rows else f"nothing was detected: {line}"
        return Outcome([line], empty, losses if is_most(unreadable, seen) else [])

    def _find(
        self,
        detector: Detector,
        row: Mapping[str, Any],
        proposals: ImageProposals,
        score: Formula,
        bias: float | None,
    ) -> tuple[Detections, NDArray[np.float32]]:
        """The detections of an image, and the box (M, 4) of each."""
        import torch

        from stages.evaluation.region_features import PoolingConfig, region_features
        from stages.models.detector import predict
        from stages.pixels import load_image

        pooling = PoolingConfig.of(vars(self), self.computed_in())
        features = region_features(detector.clip, load_image(row), proposals.boxes, pooling)
        device = detector.embeddings.device
        placed = torch.from_numpy(features).to(device)
        size = (row["height"], row["width"])
        probability, moved = predict(
            detector, placed, torch.from_numpy(proposals.boxes).to(device), size
        )
        if bias is not None:
            probability = torch.sigmoid(detector.classify(placed.double()) + bias)
        boxes = moved.cpu().numpy()
        localizer = localizer_scores(row["image_id"], proposals, score)
        detections = select(
            combine(score, probability[:, :-1].cpu().numpy(), localizer),
            boxes,
            threshold=self.score_threshold,
            nms=self.nms,
            limit=self.detections_per_image,
            soft=SoftNms() if self.soft_nms else None,
        )
        return detections, boxes_of(boxes, detections)

    def _detector(self, part: Part) -> tuple[Detector, Formula, float | None]:
        """A detector of what is looked for, the formula of its scores, and a bias if sigmoids."""
        from stages.models import device
        from stages.models.detector import Detector
        from stages.models.detector_building import (
            NameEmbeddingConfig,
            clip_of,
            detector_for_names,
            load_model,
            name_embeddings,
            own_bias,
            own_temperature,
        )

        device.set_threads(self.threads)
        device.deterministic()
        self.note_precision(part)
        model = load_model(
            part.attachment("model", "model.json"),
            part.attachment("model", "weights.safetensors"),
            self.device,
        )
        clip_of(model).with_dense(self.dense)  # a tower without such regions is refused here
        listed = _split(self.names) if self.names else []
        table = part.table("embeddings") if part.has("embeddings") else None
        names, embeddings, source = name_embeddings(
            model,
            read_categories(self.categories) if self.categories else listed,
            NameEmbeddingConfig(read_templates(self.templates), self.averaging, table),
        )
        part.note("embeddings", source)
        usual: Formula = "probability" if isinstance(model, Detector) else "sqrt-objectness"
        score = usual if self.score == "auto" else self.score
        temperature = chosen_temperature(self.temperature, lambda: own_temperature(model))
        bias = chosen_bias(self.probability, lambda: own_bias(model))
        return detector_for_names(model, names, embeddings, temperature), score, bias

    def _protocol(self, detector: Detector, score: Formula, bias: float | None) -> dict[str, Any]:
        """What the options alone do not tell."""
        head = detector.head
        return {
            "categories": list(head.categories),
            "regression": head.regression,
            "background": head.background if bias is None else "none",
            "temperature": head.temperature,
            "bias": bias,
            "score": score,
            "nms": "soft, gaussian" if self.soft_nms else f"{self.nms:g}, within a category",
        }


def _split(names: str) -> list[str]:
    """Names between commas.

    >>> _split("cat, traffic light")
    ['cat', 'traffic light']
    """
    return [name.strip() for name in names.split(",")]


def _rows(
    image_id: str, detections: Detections, boxes: NDArray[np.float32], names: tuple[str, ...]
) -> pa.RecordBatch:
    count = len(detections.region)
    corners = zip(("x0", "y0", "x1", "y1"), boxes.T, strict=True)
    return DETECTIONS.batch(
        {
            "image_id": [image_id] * count,
            "detection": np.arange(count, dtype=np.int32),
            "category_id": detections.category.astype(np.int32),
            "category": pa.array(names, pa.string()).take(pa.array(detections.category)),
            "score": detections.score.astype(np.float32),
            **{side: np.ascontiguousarray(values) for side, values in corners},
        }
    )
