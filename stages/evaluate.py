"""Evaluate: how well a teacher, student or detector recognises objects.

With ground-truth boxes: is the true category the most probable one (top-1, top-5)? And, taking
every category a box may be as a detection, average precision. With proposals: AP and AR as COCO
defines them, or with `--annotations` as LVIS does. The note `protocol` of the manifest holds how it
was measured; evaluated_detections.parquet, beside the rows, holds what was predicted for each box.

Average precision ranks all detections together: this is one task, which holds them in memory.

Shapes: R boxes of an image, N objects, K categories, D width.

Source: RegionCLIP (arXiv:2112.09106), inference; defaults as in its COCO configuration. The whole
protocols it was judged by are presets, in `stages.evaluation.protocols`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.detectors import DETECTORS
from schemas.duplicates import DUPLICATES
from schemas.errors import OptionError
from schemas.images import IMAGES
from schemas.metrics import METRICS
from schemas.proposals import PROPOSALS
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages import blas
from stages.base import Part, Reads, each, option, whole
from stages.evaluation.category_embeddings import (
    check_box_regression,
    embed_categories,
    read_vocabulary_config,
)
from stages.evaluation.headline import headline, score_lines
from stages.evaluation.image_inputs import read_images
from stages.evaluation.protocols import LVIS_PRESETS, PRESETS, PROPOSAL_OPTIONS, Preset, deviations
from stages.evaluation.suppression import SoftNms
from stages.evaluation.vocabulary import list_digest
from stages.models import pooling_option as pooled
from stages.models.dense_option import DEFAULT_RESIZE, Dense, check_pooling, dense_option
from stages.models.network_stage import NetworkStage, described_precision
from stages.models.resizing import Size
from stages.models.similarity import (
    Probability,
    Temperature,
    chosen_temperature,
    temperature_option,
)
from stages.outcome import Outcome, Result
from stages.sources.files import digest_of, file_digest
from stages.text.prompt_options import Averaging, averaging_option, templates_option
from stages.text.templates import read_templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from schemas.table import Table
    from stages.evaluation.category_embeddings import CategoryEmbeddings, VocabularyConfig
    from stages.evaluation.evaluated_model import EvaluatedModel
    from stages.evaluation.evaluator import Evaluator, ScoringConfig
    from stages.evaluation.scores import Formula


@dataclass(frozen=True, kw_only=True)
class Evaluate(NetworkStage):
    """Measure recognition against ground truth.

    By a teacher, student or detector.
    """

    preset: Preset | None = option(
        None, "a published protocol: sets the options below that are not given", presets=PRESETS
    )
    boxes: Literal["ground-truth", "proposals"] = option(
        "ground-truth", "what is named: ground-truth boxes, or proposals"
    )
    pooling: pooled.Pooling = pooled.pooling_option()
    crop_margin: float = pooled.crop_margin_option()
    dense: Dense = dense_option()
    categories: Path | None = option(
        None,
        "vocabulary: a name per line, a JSON list, or coco-80, coco-65, coco-48, coco-17; "
        "default: --annotations, --embeddings, --splits, a detector's own, else all in the images",
        recipe=False,
    )
    splits: Path | None = option(
        None,
        'JSON such as {"base": [...], "novel": [...]}, or coco-ovd: metrics for each',
        recipe=False,
    )
    annotations: Path | None = option(
        None,
        "LVIS's JSON: categories, base and novel (rare), and what is known to be absent from each "
        "image; then AP is LVIS's",
        recipe=False,
    )
    bare_images: bool = option(True, "also images without an object of the vocabulary")
    unlisted: Literal["refuse", "ignore"] = option(
        "refuse",
        "objects whose category the vocabulary lacks: refuse the images, or ignore the objects",
    )
    templates: str = templates_option()
    averaging: Averaging = averaging_option()
    temperature: Temperature = temperature_option("the weights, a detector's is its own")
    probability: Probability = option(
        "softmax",
        "softmax over the categories and a background; sigmoid: each category by itself, with the "
        "bias of weights trained by the sigmoid loss",
    )
    move_boxes: bool = option(True, "let a detector move the proposals")
    resize: str = option(
        DEFAULT_RESIZE, "image for roialign: SHORTESTxLONGEST side in pixels, native, or none"
    )
    interpolation: pooled.Interpolation | None = pooled.interpolation_option()
    score: Literal["auto", "probability", "sqrt-objectness", "sqrt-logit", "sqrt-sigmoid"] = option(
        "auto",
        "ranks detections: probability; sqrt-objectness, the root of probability times "
        "objectness; sqrt-logit, with the raw logit as published; sqrt-sigmoid, with its sigmoid; "
        "auto: sqrt-objectness for proposals, but probability if a detector names them",
    )
    score_threshold: float = option(0.001, "leave out detections of this score or less")
    nms: float = option(
        0.5,
        "IoU above which the box with the lower score of a category is dropped",
        at_least=0,
        at_most=1,
    )
    soft_nms: Literal["none", "gaussian", "linear"] = option(
        "none", "lower the less sure of overlapping boxes instead of --nms"
    )
    soft_nms_sigma: float = option(0.5, "of gaussian; smaller is stricter", above=0)
    soft_nms_prune: float = option(0.001, "scores lowered to this or less are dropped")
    detections_per_image: int = option(100, "the highest-scored of an image are kept", at_least=1)
    pictures: bool = option(True, "draw precision over recall, and calibration, as PNG")

    name: ClassVar[str] = "evaluate"
    everyday: ClassVar[tuple[str, ...]] = ("model", "preset", "boxes", "categories", "splits")
    example: ClassVar[str] = "rc evaluate --model students --splits coco-ovd"
    version: ClassVar[int] = 7  # average precision by our own counting
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "proposals": each(PROPOSALS, optional=True),
        "model": whole(TEACHERS, also=(STUDENTS, DETECTORS)),
        "embeddings": whole(CONCEPT_EMBEDDINGS, optional=True, named=True),
        "duplicates": whole(DUPLICATES, optional=True, named=True, apart=True),
    }
    writes: ClassVar[Table] = METRICS
    single_task: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        Size.parse(self.resize, native=1)
        check_pooling(self.name, self.pooling, self.dense, self.crop_margin, self.resize)
        if self.boxes == "ground-truth" and self.score not in ("auto", "probability"):
            raise OptionError(
                f"rc evaluate: --score {self.score} needs an objectness, which ground-truth boxes "
                f"do not have; use --boxes proposals or --score probability"
            )
        if self.preset in LVIS_PRESETS and not self.annotations:
            raise OptionError(
                f"rc evaluate: --preset {self.preset} needs --annotations, the LVIS JSON that says "
                f"which categories were looked for in each image"
            )

    def requires(self) -> Mapping[str, Reads]:
        """See `Stage.requires`: proposals only if they are what is named."""
        if self.boxes == "ground-truth":
            return {role: reads for role, reads in self.reads.items() if role != "proposals"}
        return {**self.reads, "proposals": each(PROPOSALS)}

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: the prompt templates and the lists of names."""
        lists = {"categories": self.categories, "splits": self.splits}
        digests = {role: list_digest(path) for role, path in lists.items() if path}
        if self.annotations:
            digests["annotations"] = file_digest(str(self.annotations))
        templates = digest_of(*read_templates(self.templates))
        return {**super().digests(), "templates": templates, **digests}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield the metrics.

        Raises:
            ArtifactError: If the inputs leave nothing to measure, or cannot be compared.
        """
        from stages.evaluation.detections_file import DetectionsFile
        from stages.evaluation.evaluation_loop import EvaluationLoop
        from stages.evaluation.evaluator import Evaluator
        from stages.evaluation.metrics import metric_rows
        from stages.evaluation.region_features import PoolingConfig
        from stages.evaluation.report import attach_report
        from stages.models import device

        model, lists = self._model(part), self._lists()
        choice = embed_categories(part, lists, model, refuse=self.unlisted == "refuse")
        if self.boxes == "proposals" and self.move_boxes:
            check_box_regression(choice.vocabulary, model)
        with DetectionsFile(part.attach("evaluated_detections.parquet"), choice.vocabulary) as file:
            chosen = choice.vocabulary, choice.embeddings
            evaluator = Evaluator(
                *chosen, self._config(model), file, background=model.background, lvis=lists.lvis
            )
            loop = EvaluationLoop(
                evaluator,
                model,
                PoolingConfig.of(vars(self), self.computed_in()),
                with_proposals=self.boxes == "proposals",
                move_boxes=self.move_boxes,
                bare_images=self.bare_images,
            )
            images = read_images(part, with_proposals=loop.with_proposals)
            with blas.one_thread():
                for image in device.in_order(images, loop.encode, model.clip.logit_scale.device):
                    loop.evaluate(part, image)
                    part.advance()
        with blas.one_thread():
            metrics = evaluator.metrics() + attach_report(part, evaluator, pictures=self.pictures)
        part.note("novel", list(lists.splits.get("novel", ())))
        part.note("scores", headline(metrics))
        part.note("protocol", self._protocol(evaluator, model, choice))
        warnings = choice.warnings(evaluator.ignored)
        part.note("warnings", warnings + model.warnings(evaluator.config.temperature))
        yield metric_rows(metrics)

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: top-1, top-5, AP and AP50 of all objects, then of each split."""
        empty = "no object was measured: the images have no boxes" if result.rows == 0 else None
        lines = score_lines(result.notes.get("scores", {}))
        lines[:1] = [line + described_precision(result.notes) for line in lines[:1]]
        return Outcome(lines, empty)

    def _lists(self) -> VocabularyConfig:
        return read_vocabulary_config(
            self.categories,
            self.splits,
            self.annotations,
            read_templates(self.templates),
            self.averaging,
        )

    def _model(self, part: Part) -> EvaluatedModel:
        from stages.evaluation.evaluated_model import load_model
        from stages.models import device

        device.set_threads(self.threads)
        device.deterministic()
        self.note_precision(part)
        return load_model(
            part.attachment("model", "model.json"),
            part.attachment("model", "weights.safetensors"),
            self.device,
        )

    def _config(self, model: EvaluatedModel) -> ScoringConfig:
        from stages.evaluation.evaluator import ScoringConfig

        alone = self.boxes == "ground-truth" or model.detector is not None
        by_itself: Formula = "probability" if alone else "sqrt-objectness"
        soft = SoftNms(self.soft_nms, self.soft_nms_sigma, self.soft_nms_prune, self.nms)
        return ScoringConfig(
            temperature=chosen_temperature(self.temperature, lambda: model.temperature),
            score=by_itself if self.score == "auto" else self.score,
            score_threshold=self.score_threshold,
            nms=self.nms,
            detections_per_image=self.detections_per_image,
            soft_nms=None if self.soft_nms == "none" else soft,
            bias=model.bias(self.probability),
        )

    def _protocol(
        self, evaluator: Evaluator, model: EvaluatedModel, choice: CategoryEmbeddings
    ) -> dict[str, Any]:
        view: dict[str, Any] = {"resize": self.resize, "dense": self.dense}
        if self.pooling == "crop":
            view = {"crop_margin": self.crop_margin}
        chosen, clip = pooled.chosen_interpolation, model.clip
        interpolation = chosen(self.interpolation, self.pooling, clip.spec)
        moved = self.boxes == "proposals" and self.move_boxes
        used = {**vars(self), "temperature": evaluator.config.temperature}
        used["precision"] = self.computed_in()
        return {
            "preset": self.preset,
            "deviations": deviations(self.preset, used),
            "proposals_published": PROPOSAL_OPTIONS.get(self.preset, {}) if self.preset else {},
            "boxes": self.boxes,
            "pooling": self.pooling,
            **view,
            "interpolation": interpolation,
            "box_deltas": model.regression if moved else "none",
            "unlisted": self.unlisted,
            "bare_images": self.bare_images,
            **choice.protocol(),
            **evaluator.protocol(),
        }
