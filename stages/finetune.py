"""Finetune: a detector learns to tell objects from background and boxes to fit, text held still.

Categories are named by frozen text embeddings, so what was learned from some categories (base) can
be asked for others (novel) without training again: see `rc detect` and `rc evaluate`. Proposals
come from the store and stay as they are. Masks are not learned: the published LVIS models have them
only to be compared with others.

Source: RegionCLIP (arXiv:2112.09106), transfer to open-vocabulary detection; defaults as in its
CLIP_fast_rcnn_R_50_C4_ovd.yaml for COCO (16 images a step, 90,000 steps). For LVIS it has
--background-weight 0.8 --focal-gamma 0 --repeat-threshold 0.001 --steps 180000; fully supervised
--background-weight 1 --focal-gamma 0 --regression specific.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.detectors import DETECTORS
from schemas.errors import ArtifactError, OptionError
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, each, option, whole
from stages.evaluation.vocabulary import list_digest, read_categories, read_split
from stages.models.dense_option import Dense, dense_option
from stages.models.resizing import Size
from stages.models.similarity import Temperature, chosen_temperature, temperature_option
from stages.sources.files import digest_of
from stages.text.prompt_options import Averaging, averaging_option, templates_option
from stages.text.templates import read_templates
from stages.training.options import TrainingStage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table
    from stages.models.clip import Clip
    from stages.models.detector import Detector
    from stages.training.detector_samples import DetectorSample
    from stages.training.loader import BatchLoader


@dataclass(frozen=True, kw_only=True)
class Finetune(TrainingStage):
    """Train a detector of named categories on ground truth.

    It begins with a student, teacher or detector.
    """

    categories: Path | None = option(
        None,
        "what is learned: a name per line, or a JSON list; default: --splits, else those of a "
        "detector, else all in the images",
        recipe=False,
    )
    splits: Path | None = option(
        None, 'JSON such as {"base": [...], "novel": [...]}: learn --train-on of it', recipe=False
    )
    train_on: str = option("base", "split whose objects are learned; all for every split")
    templates: str = templates_option()
    averaging: Averaging = averaging_option()
    init: Literal["model", "random"] = option(
        "model",
        "image tower to begin with: the model's, or random (the language encoder stays)",
    )
    freeze: Literal["auto", "reference", "none"] = option(
        "auto",
        "frozen besides the language encoder: reference (stem, first stage, batch norms); none; "
        "auto: none for a random tower",
    )
    regression: Literal["agnostic", "specific", "none"] = option(
        "agnostic",
        "how boxes are moved: the same for all categories, for each, or not at all",
    )
    background: Literal["zero", "learned"] = option(
        "zero", "embedding of background: zeros, or learned"
    )
    temperature: Temperature = temperature_option("the weights, a detector's is its own")
    background_weight: float = option(0.2, "of background in the class loss", at_least=0)
    focal_gamma: float = option(
        0.5, "exponent of focal scaling, then divided by regions; 0: by the weights", at_least=0
    )
    box_weight: float = option(1.0, "of the box loss beside the class loss", at_least=0)
    proposals_per_image: int = option(1000, "the best of an image", at_least=0)
    rois_per_image: int = option(512, "regions a step learns from in an image", at_least=1)
    foreground: float = option(
        0.25, "largest share of these that are objects", at_least=0, at_most=1
    )
    foreground_iou: float = option(
        0.5, "from this overlap on a region is an object", above=0, at_most=1
    )
    add_objects: bool = option(True, "ground-truth boxes are regions too")
    bare_images: bool = option(False, "also images without an object that is learned")
    repeat_threshold: float = option(
        0.001, "share of images below which a category's images are repeated; 0: never", at_least=0
    )
    resize: tuple[str, ...] = option(
        tuple(f"{shortest}x1333" for shortest in (640, 672, 704, 736, 768, 800)),
        "shortest and longest side, pixels; native; none; of several, one at random",
    )
    interpolation: Literal["bicubic", "bilinear"] = option("bilinear", "of resizing")
    dense: Dense = dense_option()
    flip: bool = option(True, "swap left and right half of the time")
    epochs: int = option(0, "passes over the images, instead of --steps; 0: --steps", at_least=0)
    steps: int | None = option(90_000, "optimiser steps", at_least=0)
    images_per_batch: int = option(16, "images per step", at_least=1)
    milestones: tuple[float, ...] = option(
        (6 / 9, 8 / 9), "shares of the run at which 'steps' drops to a tenth"
    )
    warmup: int = option(5000, "steps of linear warm-up; a tenth of the run at most", at_least=0)
    dump_losses: Path | None = option(
        None,
        "file to write, a line of JSON a step: losses before the step, sampled regions, targets",
        recipe=False,
    )

    name: ClassVar[str] = "finetune"
    everyday: ClassVar[tuple[str, ...]] = (
        "model",
        "splits",
        "categories",
        "steps",
        "images_per_batch",
    )
    example: ClassVar[str] = "rc finetune --model students --splits coco-ovd"
    version: ClassVar[int] = 3  # RoIAlign's gradient is summed in another order
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "proposals": each(PROPOSALS),
        "model": whole(TEACHERS, also=(STUDENTS, DETECTORS)),
        "embeddings": whole(CONCEPT_EMBEDDINGS, optional=True, named=True),
    }
    writes: ClassVar[Table] = DETECTORS

    def __post_init__(self) -> None:
        super().__post_init__()
        for text in self.resize:
            Size.parse(text, native=1)
        if self.categories and self.splits:
            raise OptionError("rc finetune: give --categories or --splits, not both")

    def recipe(self) -> dict[str, Any]:
        """See `Stage.recipe`: steps decide nothing where epochs are given, and the reverse."""
        epochs = self.epochs or None
        return {
            **super().recipe(),
            "epochs": epochs,
            "steps": None if epochs else self.steps,
            "train_on": self.train_on if self.splits else None,
        }

    def ranks_decide(self) -> bool:
        """See `TrainingStage.ranks_decide`."""
        return self._freeze() == "none"

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: the prompt templates and the lists of names."""
        lists = {"categories": self.categories, "splits": self.splits}
        return {
            "templates": digest_of(*read_templates(self.templates)),
            **{role: list_digest(path) for role, path in lists.items() if path},
        }

    def num_steps(self, dataset: Any) -> int:
        """See `TrainingStage.num_steps`: epochs, if there are any, come before steps."""
        if self.epochs or self.steps is None:
            return max(1, -(-self.epochs * len(dataset) // self.images_per_batch))
        return self.steps

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Train, leave the detector beside the rows, and yield its training curve.

        Raises:
            ArtifactError: If a category has no embedding, or no category is left.
        """
        from stages.models import device
        from stages.models.detector import save_detector
        from stages.training.detector_training import DetectorLossConfig, DetectorTraining
        from stages.training.loop import fit
        from stages.training.student_training import make_trainable

        device.set_operation_threads(self.threads)
        device.deterministic()
        detector = self._detector(part)
        make_trainable(detector.clip, self._freeze())
        loader = self.loader(part.slices(), detector)
        steps = self.num_steps(loader.dataset)
        checkpoint = part.scratch / "checkpoint.pt"
        if self.dump_losses and not checkpoint.exists():
            self.dump_losses.write_text("")
        losses = DetectorLossConfig(
            background_weight=self.background_weight,
            focal_gamma=self.focal_gamma,
            box_weight=self.box_weight,
        )
        learner = DetectorTraining(detector, losses, self.precision, self.dump_losses)
        rows = fit(learner, loader, self.config(steps), checkpoint, self.watch(part))
        self.note_loss(part, rows)
        weights = part.attach("weights.safetensors")
        save_detector(detector, part.attach("model.json"), weights, self.save_dtype)
        part.note("categories", list(detector.head.categories))
        yield DETECTORS.batch(
            {c.name: [row.get(c.name) for row in rows] for c in DETECTORS.columns}
        )

    def loader(
        self, slices: Sequence[Part], detector: Detector
    ) -> BatchLoader[DetectorSample, Any]:
        """Batches of scenes from all parts, prepared as `detector` wants them."""
        from stages.training.augment import MultiScale
        from stages.training.detector_batches import (
            DetectorTransform,
            RegionSampling,
            collate_rois,
        )
        from stages.training.detector_samples import AnnotatedImages, RepeatFactorDataset

        spec = detector.clip.spec
        sizes = tuple(Size.parse(text, spec.image_size, spec.resize_mode) for text in self.resize)
        ids = {name: index for index, name in enumerate(detector.head.categories)}
        factors = self._factors(slices, ids)

        def read(part: Part) -> AnnotatedImages:
            most, bare = self.proposals_per_image, self.bare_images
            return AnnotatedImages(part, ids, factors, proposals=most, bare=bare)

        sampling = RegionSampling(
            regions=self.rois_per_image,
            foreground=self.foreground,
            iou=self.foreground_iou,
            add_objects=self.add_objects,
        )
        augment = MultiScale(sizes, self.flip, self.interpolation, spec)
        transform = DetectorTransform(self.pixels(), augment, len(ids), sampling, self.seed)
        dataset = RepeatFactorDataset(slices, read, self.seed, self.shuffle_buffer)
        return self.batch_loader(dataset, transform, collate_rois)

    def _factors(self, slices: Sequence[Part], ids: Mapping[str, int]) -> dict[int, float]:
        from stages.training.detector_samples import count_images, repeat_factors

        if not self.repeat_threshold:
            return {}
        batches = (batch for part in slices for batch in part.batches("images"))
        images_with, total = count_images(batches, ids, bare=self.bare_images)
        return repeat_factors(images_with, total, self.repeat_threshold)

    def _freeze(self) -> str:
        automatic = "none" if self.init == "random" else "reference"
        return automatic if self.freeze == "auto" else self.freeze

    def _detector(self, part: Part) -> Detector:
        """The detector to begin with, on its device."""
        from stages.models import detector_building as building
        from stages.models.detector import HeadSpec

        model = building.read_model(
            part.attachment("model", "model.json"),
            part.attachment("model", "weights.safetensors"),
            self.device,
        )
        table = part.table("embeddings") if part.has("embeddings") else None
        wording = building.NameEmbeddingConfig(
            read_templates(self.templates), self.averaging, table
        )
        names, embeddings, source = building.name_embeddings(
            model, self._names(part, model), wording
        )
        part.note("embeddings", source)
        if self.init == "random":
            building.reset_image_tower(building.clip_of(model), self.seed)
        temperature = chosen_temperature(self.temperature, lambda: building.own_temperature(model))
        part.note("temperature", temperature)
        head = HeadSpec(names, self.regression, self.background, temperature)
        return building.build_detector(model, head, embeddings, self.seed, self.dense)

    def _names(self, part: Part, model: Clip | Detector) -> tuple[str, ...]:
        """The categories learned, in the order of the list that names them."""
        from stages.evaluation.image_inputs import ground_truth_names
        from stages.models.detector import Detector

        if self.categories:
            return tuple(read_categories(self.categories))
        if self.splits:
            return read_split(self.splits, self.train_on)
        if isinstance(model, Detector):
            return model.head.categories
        categories = ground_truth_names(part)
        if not categories:
            raise ArtifactError(
                "no image has an object, so there is nothing to learn; ingest images "
                "with ground truth"
            )
        return categories
