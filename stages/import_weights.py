"""Import-weights: published files become teachers, students, RPNs, detectors or embeddings.

Source: RegionCLIP (arXiv:2112.09106), its checkpoints and lists; CLIP (arXiv:2103.00020);
open_clip's, torchvision's and detectron2's files.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.detectors import DETECTORS
from schemas.errors import OptionError, SourceError
from schemas.rpns import RPNS
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, Stage, option
from stages.models.weights_files import config_beside, is_file, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from schemas.table import Table
    from stages.models.key_report import KeyReport

_TABLES = {
    "teacher": TEACHERS,
    "student": STUDENTS,
    "rpn": RPNS,
    "detector": DETECTORS,
    "embeddings": CONCEPT_EMBEDDINGS,
}
_ONLY_FOR: Mapping[str, tuple[str, ...]] = {  # options that other kinds would not look at
    "architecture": ("teacher", "student", "rpn", "detector"),
    "tokenizer": ("teacher", "student"),
    "names": ("embeddings",),
    "categories": ("detector",),
    "temperature": ("detector",),
    "norm_eps": ("rpn",),
    "untrained_statistics": ("teacher", "student", "rpn", "detector"),
}
_BESIDE = {"detector": "categories", "embeddings": "names"}  # lists that a file does not hold


@dataclass(frozen=True, kw_only=True)
class ImportWeights(Stage):
    """Import a model, or embeddings, from a published file.

    It becomes a teacher, student, RPN, detector or concept embeddings.

    Every tensor of the file is accounted for; nothing in it is run. Takes RegionCLIP's files,
    CLIP's own and open_clip's, detectors of torchvision and detectron2 (their RPNs), and matrices
    of embeddings; also one of open_clip's tags, which it fetches.
    """

    file: str = option("", "weights, or one of open_clip's tags", flag="FILE")
    kind: Literal["teacher", "student", "rpn", "detector", "embeddings"] | None = option(
        None, "what is taken out of the file; must be given", flag="--as"
    )
    architecture: str | None = option(
        None,
        "open_clip's name (RN50-quickgelu), perhaps with a tag (ViT-B-32:laion400m_e32), or a "
        "JSON configuration; default: the one beside the file, else from the shapes",
    )
    sha256: str | None = option(
        None, "that the file must have, as published beside it; others are refused", recipe=False
    )
    tokenizer: Path | None = option(
        None,
        "folder with the tokenizer of a text tower that has its own; default: beside the weights, "
        "then the network",
        recipe=False,
    )
    names: Path | None = option(
        None, "names of embeddings, one a line, in the order of the rows", recipe=False
    )
    categories: Path | None = option(
        None, "names of a detector's categories, one a line, in the order of rows", recipe=False
    )
    temperature: float = option(0.01, "of a detector: divides cosine similarity", above=0)
    norm_eps: float | None = option(
        None, "of an RPN: added to variances; 0 for torchvision's COCO_V1 detectors", at_least=0
    )
    untrained_statistics: bool = option(
        False, "take batch norms that all have their initial statistics (mean 0, variance 1)"
    )

    name: ClassVar[str] = "import-weights"
    everyday: ClassVar[tuple[str, ...]] = ("kind", "architecture", "names", "categories")
    example: ClassVar[str] = "rc import-weights regionclip_pretrained-cc_rn50.pth --as teacher"
    version: ClassVar[int] = 2  # preprocessing belongs to the weights
    reads: ClassVar[Mapping[str, Reads]] = {}
    writes: ClassVar[Table] = TEACHERS
    single_task: ClassVar[bool] = True
    unit: ClassVar[str] = "files"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.file or not self.kind:
            raise OptionError(
                f"rc import-weights takes a file, and --as one of {', '.join(_TABLES)}"
            )
        self._refuse_idle()
        needed = _BESIDE.get(self.kind)
        if needed and getattr(self, needed) is None:
            raise OptionError(
                f"rc import-weights --as {self.kind} needs --{needed}: the file has rows of "
                f"numbers, and nothing in it says what they are called"
            )

    def _refuse_idle(self) -> None:
        for field in fields(self):
            kinds = _ONLY_FOR.get(field.name)
            if kinds and self.kind not in kinds and getattr(self, field.name) != field.default:
                raise OptionError(
                    f"rc import-weights: --{field.name.replace('_', '-')} is for --as "
                    f"{' or '.join(kinds)}, and changes nothing of --as {self.kind}; leave it out"
                )

    def makes(self) -> Table:
        """See `Stage.makes`: what `--as` says."""
        return _TABLES[self.kind or ""]

    def recipe(self) -> dict[str, Any]:
        """See `Stage.recipe`: of files the name; where they lie does not matter."""
        files = {name: Path(value).name for name, value in self._files().items()}
        options = super().recipe()
        return options | {name: value for name, value in files.items() if name in options}

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: of the weights and what was given beside them.

        Raises:
            SourceError: If a file cannot be read, or is not the one that `--sha256` asks for.
        """
        from stages.models.tokenizer_files import tokenizer_digest

        files = self._files()
        weights = [path for name, path in files.items() if name in ("file", "architecture")]
        tokenizer = tokenizer_digest(self.tokenizer, weights if self.makes().has_language else [])
        digests = {name: sha256(Path(value)) for name, value in files.items()}
        if self.sha256 and digests.get("file") != self.sha256.lower():
            raise SourceError(
                f"{self.file} has the SHA-256 {digests['file']}, and --sha256 says another: it is "
                f"damaged or another file; download it again"
                if "file" in digests
                else f"--sha256 is of a file, and {self.file} is none; leave it out"
            )
        return digests | tokenizer

    def total(self) -> int:
        """See `Stage.total`."""
        return 1

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Leave the network beside the rows of an empty training curve; or yield embeddings.

        Raises:
            SourceError: If the file is damaged, does not hold what is asked for or not all of it,
                or what it holds does not fit the architecture.
        """
        from stages.models import device

        device.set_threads(self.threads)
        makers = {
            "teacher": self._clip,
            "student": self._clip,
            "rpn": self._rpn,
            "detector": self._detector,
            "embeddings": self._embeddings,
        }
        yield makers[self.kind or ""](part)
        part.advance()

    def _clip(self, part: Part) -> pa.RecordBatch:
        from stages.models.clip import save_clip
        from stages.models.clip_creation import import_tag
        from stages.models.clip_import import import_clip, language_digest

        if is_file(self.file):
            clip, report = import_clip(
                Path(self.file),
                self.kind or "",
                self.architecture,
                untrained=self.untrained_statistics,
                tokenizer=self.tokenizer,
            )
        else:
            clip, report = import_tag(self.file, self.architecture, self.tokenizer)
        save_clip(clip, part.attach("model.json"), part.attach("weights.safetensors"))
        part.note("origin", clip.spec.origin)
        part.note("language", language_digest(clip))
        _tell(part, report, clip.spec.line())
        return _no_curve(self.makes())

    def _detector(self, part: Part) -> pa.RecordBatch:
        from stages.models.clip_import import language_digest
        from stages.models.detector import save_detector
        from stages.models.detector_import import import_detector

        detector, report = import_detector(
            Path(self.file),
            Path(self.categories or ""),
            self.architecture,
            temperature=self.temperature,
            untrained=self.untrained_statistics,
        )
        save_detector(detector, part.attach("model.json"), part.attach("weights.safetensors"))
        part.note("origin", detector.clip.spec.origin)
        part.note("language", language_digest(detector.clip))
        part.note("categories", len(detector.head.categories))
        _tell(part, report, detector.clip.spec.line())
        return _no_curve(DETECTORS)

    def _rpn(self, part: Part) -> pa.RecordBatch:
        from stages.models.rpn_creation import save_rpn
        from stages.models.rpn_import import import_rpn

        rpn, report = import_rpn(
            Path(self.file), self.architecture, self.norm_eps, untrained=self.untrained_statistics
        )
        save_rpn(rpn, part.attach("model.json"), part.attach("weights.safetensors"))
        part.note("origin", f"{report.layout} {Path(self.file).name}")
        _tell(part, report)
        return _no_curve(RPNS)

    def _embeddings(self, part: Part) -> pa.RecordBatch:
        from stages.models.embeddings_import import read_matrix, read_names, require_as_many

        names_path = Path(self.names or "")
        names, matrix = read_names(names_path), read_matrix(Path(self.file))
        require_as_many(names, len(matrix), names_path, Path(self.file).name)
        part.note("origin", Path(self.file).name)
        part.note("summary", [f"{len(names)} concepts, {matrix.shape[1]} wide, as stored"])
        return CONCEPT_EMBEDDINGS.batch(
            {
                "concept_id": list(range(len(names))),
                "concept": names,
                "prompts": [0] * len(names),
                "embedding": matrix.numpy(),
            }
        )

    def _files(self) -> dict[str, str]:
        """Options that name a file."""
        files = {"names": self.names, "categories": self.categories}
        paths = {name: str(path) for name, path in files.items() if path}
        if (self.architecture or "").endswith(".json"):
            paths["architecture"] = str(self.architecture)
        if is_file(self.file):
            paths["file"] = self.file
            if beside := config_beside(Path(self.file)):
                paths["description"] = str(beside)
        return paths


def _tell(part: Part, report: KeyReport, *more: str) -> None:
    part.note("keys", report.note())
    part.note("summary", [*report.lines(), *more])


def _no_curve(table: Table) -> pa.RecordBatch:
    return table.batch({column.name: [] for column in table.columns})
