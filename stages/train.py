"""Train: a student learns from its teacher's pseudo-labels what regions are called.

It may also learn, or learn only, what a frozen tower sees in the crop of each region: features of
crops, which need neither captions nor concepts. They are an input, made once by `rc featurize
--pooling crop`, rather than computed in each step: crops cost most, every epoch would need them
again, and what was made can be looked at. Like pseudo-labels they are of images that are not
flipped. With --distillation-weight and --crop-distillation-weight above 0 the student learns from
two teachers, the one that pools regions and the one that sees crops.

Source: RegionCLIP (arXiv:2112.09106), region-text pretraining. Defaults as in the published
RegionCLIP_RN50.yaml (its temperature, 0.01, is that of CLIP's weights); its 600,000 steps of 96
images are 19 passes over 3 million. CLIPSelf (arXiv:2310.01403), crop distillation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError, OptionError
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.students import STUDENTS
from schemas.suspicions import SUSPICIONS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, each, option, whole
from stages.models.dense_option import Dense, dense_option
from stages.models.similarity import (
    Probability,
    Similarity,
    Temperature,
    chosen_bias,
    chosen_temperature,
    temperature_option,
)
from stages.training.options import TrainingStage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    import torch

    from schemas.table import Table
    from stages.models.clip import Clip, ClipSpec
    from stages.outcome import Outcome, Result
    from stages.training.config import TrainingConfig
    from stages.training.loader import BatchLoader
    from stages.training.samples import Sample, Supervision
    from stages.training.student_training import Objective


@dataclass(frozen=True, kw_only=True)
class Train(TrainingStage):
    """Train a student on pseudo-labels of regions, or crops."""

    where: str | None = option("kept", "SQL condition on pseudo_labels: those that take part")
    if_none_kept: Literal["all", "none"] = option(
        "all",
        "in a batch without a kept region: all regions take part, as in the reference, or none; "
        "with a --where other than kept: none",
    )
    contrastive_weight: float = option(1.0, "of the region-text loss; 0 is off", at_least=0)
    distillation_weight: float = option(1.0, "of the distillation loss; 0 is off", at_least=0)
    image_text_weight: float = option(1.0, "of the image-text loss; 0 is off", at_least=0)
    crop_distillation_weight: float = option(
        0.0,
        "of the cosine distance to --features, such as those of rc featurize --pooling crop "
        "(CLIPSelf); 0 is off",
        at_least=0,
    )
    temperature: Temperature = temperature_option("the weights it begins with")
    probability: Probability = option(
        "softmax",
        "how the labels were made, as in rc label: so the student's are distilled; sigmoid with "
        "the bias of the weights",
    )
    contrastive_over: Literal["occurrences", "concepts"] = option(
        "occurrences",
        "classes of the region-text loss: one per region of the batch, or one per concept",
    )
    negatives: Literal["batch", "gathered"] = option(
        "batch",
        "of the region-text loss: from regions of the same rank (then losses of regions are means "
        "over ranks), or gathered from all ranks",
    )
    long_captions: Literal["cut", "keep-end"] = option(
        "cut",
        "texts over the limit of tokens: cut off the end too, as published, or keep the end token",
    )
    regions_per_image: int = option(100, "at most so many, sampled at random", at_least=1)
    regions_among: Literal["proposals", "labelled"] = option(
        "proposals",
        "sampled from all proposals, or only from those that take part",
    )
    resize: tuple[str, ...] = option(
        ("800x1333",), "shortest and longest side, pixels; native; none; of several, one at random"
    )
    interpolation: Literal["bicubic", "bilinear"] = option("bicubic", "of resizing")
    dense: Dense = dense_option()
    flip: bool = option(True, "swap left and right half of the time")
    mirror_captions: bool = option(
        False, "swap the words left and right in the caption of a flipped image"
    )
    freeze: Literal["reference", "none"] = option(
        "reference",
        "frozen besides the language encoder: stem, first stage, batch norms; or none",
    )
    whole_image: Literal["padded", "image"] = option(
        "padded", "whole-image region: the padded canvas, or the image"
    )
    epochs: int = option(19, "passes over the images", at_least=1)
    steps: int | None = option(None, "optimiser steps, instead of --epochs", at_least=1)
    clip: float = option(5.0, "largest gradient norm; 0 is no limit", at_least=0)
    average_decay: float = option(
        0.0,
        "of an exponential average of the weights, which is then what is saved; it remembers "
        "about 1 / (1 - decay) steps; 0 saves the last weights",
        at_least=0,
        below=1,
    )

    name: ClassVar[str] = "train"
    everyday: ClassVar[tuple[str, ...]] = (
        "where",
        "epochs",
        "steps",
        "images_per_batch",
        "learning_rate",
    )
    example: ClassVar[str] = "rc train --epochs 5 --images-per-batch 32"
    version: ClassVar[int] = 5  # RoIAlign's gradient is summed in another order
    reads: ClassVar[Mapping[str, Reads]] = {
        "pseudo_labels": each(PSEUDO_LABELS, where="where", beside="suspicions"),
        "suspicions": each(SUSPICIONS, optional=True, named=True),
        "features": each(FEATURES, named=True),
        "proposals": each(PROPOSALS),
        "images": each(IMAGES),
        "embeddings": whole(CONCEPT_EMBEDDINGS),
        "teacher": whole(TEACHERS, also=(STUDENTS,)),
    }
    writes: ClassVar[Table] = STUDENTS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self._regional or self.image_text_weight or self.crop_distillation_weight):
            raise OptionError("rc train: at least one loss needs a weight above 0")
        if self.probability == "sigmoid" and not self.distillation_weight:
            raise OptionError("rc train: --probability is of --distillation-weight, which is 0")

    def outcome(self, result: Result) -> Outcome:
        """See `TrainingStage.outcome`: also the temperature."""
        outcome = super().outcome(result)
        if (temperature := result.notes.get("temperature")) is None:
            return outcome
        whose = ", the teacher's" if isinstance(self.temperature, str) else ""
        first, *more = outcome.summary
        return replace(outcome, summary=[f"{first}; temperature {temperature:.4g}{whose}", *more])

    @property
    def _regional(self) -> bool:
        """Whether any loss needs pseudo-labels."""
        return self.contrastive_weight > 0 or self.distillation_weight > 0

    def requires(self) -> Mapping[str, Reads]:
        """See `Stage.requires`: what the losses need.

        Pseudo-labels that are not kept too, if a batch may need them.
        """
        used = {"images", "teacher"}
        if self._regional:
            used |= {"pseudo_labels", "suspicions", "proposals", "embeddings"}
        if self.crop_distillation_weight:
            used |= {"features", "proposals"}
        fallback = self.if_none_kept == "all"
        labels = each(PSEUDO_LABELS, where="where", fallback=fallback, beside="suspicions")
        reads = {**self.reads, "pseudo_labels": labels}
        return {role: reads[role] for role in reads if role in used}

    def ranks_decide(self) -> bool:
        """See `TrainingStage.ranks_decide`: also by negatives of their own."""
        return (self._regional and self.negatives == "batch") or self.freeze == "none"

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Train, leave the student beside the rows, and yield its training curve."""
        from stages.models import device
        from stages.models.clip import read_clip, save_clip
        from stages.training.loop import fit
        from stages.training.regions import require_probability
        from stages.training.student_training import StudentTraining, make_trainable

        device.set_operation_threads(self.threads)
        if self.distillation_weight:
            require_probability(part, self.probability)
        clip = read_clip(
            part.attachment("teacher", "model.json"),
            part.attachment("teacher", "weights.safetensors"),
            self.device,
        ).with_dense(self.dense)
        temperature = chosen_temperature(self.temperature, lambda: Similarity.of(clip).temperature)
        bias = chosen_bias(self.probability, lambda: Similarity.of(clip).logit_bias)
        objective = replace(self.objective(), temperature=temperature, bias=bias)
        make_trainable(clip, self.freeze)
        embeddings = self._embeddings(part, clip)
        loader = self.loader(part.slices(), self.supervision(len(embeddings), clip), clip.spec)
        steps = self.num_steps(loader.dataset)
        rows = fit(
            StudentTraining(clip, embeddings, objective, self.precision),
            loader,
            self.config(steps),
            part.scratch / "checkpoint.pt",
            self.watch(part),
        )
        self.note_loss(part, rows)
        part.note("temperature", temperature)
        if bias is not None:
            part.note("logit_bias", bias)
        if not isinstance(self.temperature, str):
            clip.set_temperature(temperature)  # what it learned with is what it is compared by
        weights = part.attach("weights.safetensors")
        save_clip(clip, part.attach("model.json"), weights, self.save_dtype)
        yield STUDENTS.batch({c.name: [row.get(c.name) for row in rows] for c in STUDENTS.columns})

    def objective(self) -> Objective:
        """What the options ask the student to be trained for, but for what its weights say."""
        from stages.training.student_training import Objective

        return Objective(
            contrastive=self.contrastive_weight,
            distillation=self.distillation_weight,
            image_text=self.image_text_weight,
            crop_distillation=self.crop_distillation_weight,
            whole=self.whole_image,
            over=self.contrastive_over,
            negatives=self.negatives,
            long_captions=self.long_captions,
        )

    def supervision(self, num_concepts: int, clip: Clip) -> Supervision:
        """What of the inputs is learned from."""
        from stages.training.samples import Supervision

        return Supervision(
            num_concepts=num_concepts if self._regional else None,
            captions=self.image_text_weight > 0,
            crops_width=clip.width if self.crop_distillation_weight else None,
        )

    def loader(
        self, slices: Sequence[Part], learned: Supervision, spec: ClipSpec
    ) -> BatchLoader[Sample, Any]:
        """Batches of regions from all parts, prepared as a network of `spec` wants them."""
        from stages.models.preprocess import Size
        from stages.training.augment import MultiScale
        from stages.training.dataset import ShuffledDataset
        from stages.training.region_batches import RegionTransform, collate
        from stages.training.samples import SupervisedImages

        sizes = tuple(Size.parse(text, spec.image_size, spec.resize_mode) for text in self.resize)
        augment = MultiScale(sizes, self.flip, self.interpolation, spec)

        def read(part: Part) -> SupervisedImages:
            images = SupervisedImages(part, learned)
            if self.distillation_weight and self.probability == "softmax" and not images.exclusive:
                raise ArtifactError(
                    "these pseudo-labels were made with --probability sigmoid; give it here too, "
                    "or --distillation-weight 0"
                )
            return images

        transform = RegionTransform(
            self.pixels(),
            augment,
            self.regions_per_image,
            self.regions_among,
            self.seed,
            self.mirror_captions,
        )
        dataset = ShuffledDataset(slices, read, self.seed, self.shuffle_buffer)
        each_rank = self.negatives == "batch"
        return self.batch_loader(dataset, transform, partial(collate, each_rank=each_rank))

    def config(self, steps: int) -> TrainingConfig:
        """See `TrainingStage.config`; with the average of the weights."""
        return replace(super().config(steps), average_decay=self.average_decay)

    def _embeddings(self, part: Part, clip: Clip) -> torch.Tensor:
        """Embeddings (C, D) of the concepts; none (C = 0) where no loss needs them."""
        import torch

        from stages.training.concept_embeddings import embeddings_by_id

        if not self._regional:
            return torch.zeros(0, clip.width)
        return embeddings_by_id(part.table("embeddings"), clip.width)
