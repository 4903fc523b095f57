"""Pretrain: image-text training of V_t and L on whole images and captions, or an import.

Source: CLIP (arXiv:2103.00020): contrastive loss, learned temperature; defaults near its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from schemas.errors import OptionError
from schemas.images import IMAGES
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, each, option, whole
from stages.models.weights_files import config_beside, is_file, sha256
from stages.training.options import TrainingStage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table
    from stages.models.clip import Clip, ClipSpec
    from stages.outcome import Outcome, Result
    from stages.training.loader import BatchLoader
    from stages.training.samples import Sample


@dataclass(frozen=True, kw_only=True)
class Pretrain(TrainingStage):
    """Train a teacher on images and captions, or import one.

    It begins with the weights of `--teacher` if one is named, else as `--model` and `--pretrained`
    say. Images without a caption are left out. With `--steps 0` nothing is trained and no images
    are read: the weights are imported as they are.
    """

    model: str = option(
        "RN50", "open_clip's name of an architecture, small (to try things), or a JSON file"
    )
    pretrained: str | None = option(None, "weights to begin with: open_clip's tag, or a file")
    tokenizer: Path | None = option(
        None,
        "folder with the tokenizer of a text tower that has its own; default: beside the weights, "
        "then the network",
        recipe=False,
    )
    initial_temperature: float | None = option(
        None, "learned from there on; default: that of the weights", at_least=0.01
    )
    freeze_text: bool = option(False, "train the image tower and the temperature alone")
    zoom_min: float = option(1.0, "least size of an image, times the network's", above=0)
    zoom_max: float = option(1.25, "most; a random square of what is larger is kept", above=0)
    flip: bool = option(True, "swap left and right half of the time")
    long_captions: Literal["keep-end", "cut"] = option(
        "keep-end",
        "texts over the limit of tokens: keep the end token, or cut it off too, as in rc train",
    )
    epochs: int = option(32, "passes over the images", at_least=0)
    optimiser: Literal["sgd", "adamw"] = option("adamw", "optimiser")
    learning_rate: float = option(5e-4, "largest learning rate of the run", above=0)
    weight_decay: float = option(0.2, "weight decay, times the learning rate", at_least=0)
    schedule: Literal["steps", "cosine", "constant"] = option(
        "cosine", "schedule of the learning rate"
    )
    warmup: int = option(2000, "steps of linear warm-up; a tenth of the run at most", at_least=0)
    clip_by: Literal["parameter", "total"] = option(
        "total", "which norm is limited: of each tensor, or of all"
    )

    name: ClassVar[str] = "pretrain"
    everyday: ClassVar[tuple[str, ...]] = (
        "model",
        "pretrained",
        "epochs",
        "steps",
        "images_per_batch",
        "learning_rate",
    )
    example: ClassVar[str] = "rc pretrain --model RN50 --pretrained RN50.pt --steps 0"
    version: ClassVar[int] = 3  # files are opened as rc import-weights does
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "teacher": whole(TEACHERS, also=(STUDENTS,), optional=True, named=True),
    }
    writes: ClassVar[Table] = TEACHERS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.zoom_min > self.zoom_max:
            raise OptionError(
                f"rc pretrain: --zoom-min must be at most --zoom-max, "
                f"got {self.zoom_min:g} and {self.zoom_max:g}"
            )

    @property
    def imports_only(self) -> bool:
        """Whether no step is taken."""
        return self.steps == 0 or (self.steps is None and self.epochs == 0)

    def requires(self) -> Mapping[str, Reads]:
        """See `Stage.requires`: no images where nothing is trained."""
        return {"teacher": self.reads["teacher"]} if self.imports_only else self.reads

    def recipe(self) -> dict[str, Any]:
        """See `Stage.recipe`: of files the name; where they lie does not matter."""
        files = {name: Path(value).name for name, value in self._files().items()}
        options = super().recipe()
        return options | {name: value for name, value in files.items() if name in options}

    def ranks_decide(self) -> bool:
        """See `TrainingStage.ranks_decide`: its weights may have batch norms, which are trained."""
        return not self.imports_only

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: of the files given for architecture, weights and tokenizer.

        Raises:
            SourceError: If a file cannot be read.
        """
        from stages.models.tokenizer_files import tokenizer_digest

        files = self._files()
        tokenizer = tokenizer_digest(self.tokenizer, files.values())
        return {name: sha256(Path(value)) for name, value in files.items()} | tokenizer

    def outcome(self, result: Result) -> Outcome:
        """See `TrainingStage.outcome`: also what the weights do not show."""
        outcome = super().outcome(result)
        if "loss" not in result.notes:  # then the summary is in it
            return outcome
        first, *more = outcome.summary
        return replace(outcome, summary=[first, *result.notes.get("summary", ()), *more])

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Train, leave the teacher beside the rows, and yield its training curve."""
        from stages.models import device
        from stages.models.clip import save_clip

        device.set_operation_threads(self.threads)
        clip = self._first_weights(part)
        part.note("summary", [clip.spec.line()])
        if self.initial_temperature is not None:
            clip.set_temperature(self.initial_temperature)
        clip.to(device.resolve(self.device))
        rows = [] if self.imports_only else self._train(clip, part)
        weights = part.attach("weights.safetensors")
        save_clip(clip, part.attach("model.json"), weights, self.save_dtype)
        yield TEACHERS.batch(
            {column.name: [row[column.name] for row in rows] for column in TEACHERS.columns}
        )

    def loader(self, slices: Sequence[Part], spec: ClipSpec) -> BatchLoader[Sample, Any]:
        """Batches of images and captions from all parts, of the size a network of `spec` wants."""
        from stages.training.augment import ZoomedCrop
        from stages.training.dataset import ShuffledDataset
        from stages.training.pretraining import PairTransform, collate_pairs
        from stages.training.samples import CaptionedImages

        augment = ZoomedCrop((self.zoom_min, self.zoom_max), self.flip, spec)
        dataset = ShuffledDataset(slices, CaptionedImages, self.seed, self.shuffle_buffer)
        transform = PairTransform(self.pixels(), augment, self.seed)
        return self.batch_loader(dataset, transform, collate_pairs)

    def _first_weights(self, part: Part) -> Clip:
        from stages.models.clip import create_clip, read_clip

        if not part.has("teacher"):
            return create_clip(self.model, self.pretrained, self.seed, self.tokenizer)
        if self.tokenizer is not None:
            raise OptionError("rc pretrain: --teacher has its tokenizer; leave out --tokenizer")
        if self.pretrained is not None:
            raise OptionError("rc pretrain: --teacher and --pretrained both name the first weights")
        return read_clip(
            part.attachment("teacher", "model.json"),
            part.attachment("teacher", "weights.safetensors"),
        )

    def _train(self, clip: Clip, part: Part) -> Sequence[Mapping[str, Any]]:
        from stages.training.loop import fit
        from stages.training.pretraining import Pretraining

        loader = self.loader(part.slices(), clip.spec)
        steps = self.num_steps(loader.dataset)
        learner = Pretraining(
            clip,
            self.precision,
            freeze_text=self.freeze_text,
            long_captions=self.long_captions,
        )
        checkpoint = part.scratch / "checkpoint.pt"
        rows = fit(learner, loader, self.config(steps), checkpoint, self.watch(part))
        self.note_loss(part, rows)
        return rows

    def _files(self) -> dict[str, str]:
        """Options that name a file rather than something open_clip knows."""
        files = {"model": self.model} if self.model.endswith(".json") else {}
        if self.pretrained and is_file(self.pretrained):
            files["pretrained"] = self.pretrained
            if beside := config_beside(Path(self.pretrained)):
                files["description"] = str(beside)
        return files
