"""Embed concepts: each concept in its prompt templates, through the teacher's language encoder.

A concept with several names, see `rc extract-concepts --merge`, has the mean over the prompts of
all of them.

Source: RegionCLIP (arXiv:2112.09106): 81 templates, their embeddings averaged as they are.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.concepts import CONCEPTS
from schemas.errors import ArtifactError
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, Stage, option, whole
from stages.models.similarity import FILE, Similarity
from stages.outcome import Outcome, Result, counted
from stages.text.prompt_options import Averaging, averaging_option, templates_option
from stages.text.templates import read_templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table

_BLOCK = 256  # concepts a batch of rows: 1 MB of embeddings 1024 wide


@dataclass(frozen=True, kw_only=True)
class EmbedConcepts(Stage):
    """Embed every concept in the space of the teacher.

    The teacher's temperature, and its bias if it has one, are kept beside the rows.
    """

    templates: str = templates_option()
    averaging: Averaging = averaging_option()
    long_prompts: Literal["cut", "keep-end"] = option(
        "cut",
        "texts over the limit of tokens: cut off the end too, as published, or keep the end token",
    )
    batch: int = option(1024, "prompts encoded together", at_least=1)

    name: ClassVar[str] = "embed-concepts"
    everyday: ClassVar[tuple[str, ...]] = ("templates", "concepts", "teacher")
    example: ClassVar[str] = "rc embed-concepts --templates plain"
    version: ClassVar[int] = 4  # each operation of the network has one core
    reads: ClassVar[Mapping[str, Reads]] = {
        "concepts": whole(CONCEPTS),
        "teacher": whole(TEACHERS, also=(STUDENTS,)),
    }
    writes: ClassVar[Table] = CONCEPT_EMBEDDINGS
    unit: ClassVar[str] = "concepts"
    single_task: ClassVar[bool] = True

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: the templates themselves, whatever they are called."""
        lines = "\n".join(read_templates(self.templates))
        return {"templates": hashlib.sha256(lines.encode()).hexdigest()}

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: concepts, and how many prompts stand behind each."""
        prompts = counted(len(result.notes["templates"]), "prompt")
        line = f"{counted(result.rows, 'concept')} embedded, {prompts} each"
        if "names" in result.notes:
            line += f" of their {counted(result.notes['names'], 'name')}"
        lines = [line]
        if "in_bytes" in result.notes:
            number, example = result.notes["in_bytes"]
            lines.append(
                f"{counted(number, 'concept')} in other letters than Latin, such as '{example}': "
                "CLIP's tokenizer cuts them into bytes, which its English text tower has hardly "
                "seen; for their language, import weights with a multilingual text tower"
            )
        return Outcome(lines, None if result.rows else "no concept was embedded")

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield one row per concept.

        Raises:
            ArtifactError: If there are no concepts.
            SourceError: If the teacher's weights are damaged.
        """
        from stages.models import device
        from stages.models.clip import load_clip
        from stages.models.text_embeddings import embed_groups
        from stages.models.tokenizer import has_own_tokenizer

        device.set_threads(self.threads)
        device.deterministic()
        templates = read_templates(self.templates)
        concepts = part.table("concepts").sort_by("concept_id")
        if not concepts.num_rows:
            raise ArtifactError(
                "the concept pool is empty; lower --min-frequency of "
                "rc extract-concepts, or give it a list with --from"
            )
        clip = load_clip(
            part.attachment("teacher", "model.json"),
            part.attachment("teacher", "weights.safetensors"),
            self.device,
        )
        similarity = Similarity.of(clip)
        similarity.write(part.attach(FILE))
        part.note("similarity", asdict(similarity))
        part.note("templates", list(templates))
        if (names := len(concepts["names"].combine_chunks().flatten())) > concepts.num_rows:
            part.note("names", names)
        if not has_own_tokenizer(clip.spec.config):
            _note_other_letters(concepts["concept"].to_pylist(), part)
        for block in concepts.to_batches(max_chunksize=_BLOCK):
            groups = block.column("names").to_pylist()
            embeddings = embed_groups(
                clip, groups, templates, self.averaging, self.batch, self.long_prompts
            )
            yield CONCEPT_EMBEDDINGS.batch(
                {
                    "concept_id": block.column("concept_id"),
                    "concept": block.column("concept"),
                    "prompts": [len(templates) * len(names) for names in groups],
                    "embedding": embeddings.numpy(),
                }
            )
            part.advance(len(groups))


def _note_other_letters(concepts: Sequence[str], part: Part) -> None:
    """Note how many concepts have letters of another script than Latin, and the first."""
    from stages.models.weights_files import printable

    others = [
        concept
        for concept in concepts
        if any(c.isalpha() and not unicodedata.name(c, "").startswith("LATIN") for c in concept)
    ]
    if others:
        part.note("in_bytes", [len(others), printable(others[0])])
