"""Label: name each region with the concepts its teacher feature is most similar to.

Shapes: R regions, C concepts, D embedding width, K concepts kept.

Source: RegionCLIP (arXiv:2112.09106), pseudo-labels by a teacher; threshold as in its published
configuration (CONCEPT_THRES). Its CLSS_TEMP is --temperature 0.01, which is that of CLIP's weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np
import pyarrow as pa

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.concepts import CONCEPTS
from schemas.errors import ArtifactError
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from schemas.presence import PRESENCE
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, each, option, whole
from stages.featurizing.feature_stage import FEATURE_OPTIONS, FEATURE_VERSION, FeatureStage
from stages.labelling.absent_options import OF_LABELS, check_absent
from stages.labelling.image_tables import whole_images
from stages.labelling.label_counts import count_agreement, in_caption, label_outcome
from stages.labelling.label_similarity import LabelSimilarity
from stages.labelling.mentioned_names import mentioned_names
from stages.labelling.region_boxes import RegionBoxes
from stages.labelling.usable_features import usable_features
from stages.models.similarity import Probability, Temperature, temperature_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from schemas.table import Table
    from stages.labelling.concept_matches import ConceptMatches
    from stages.labelling.concept_pool import ConceptPool
    from stages.labelling.presence_rows import PresenceFinder
    from stages.outcome import Outcome, Result

    # how many rows were read, those that can be used, and their features (R, D)
    _Features = tuple[int, pa.Table, NDArray[np.float32]]

_ROWS: Final = 4096  # about as many rows at a time: 16 MB of features 1024 wide


@dataclass(frozen=True, kw_only=True)
class Label(FeatureStage):
    """Give every region its most probable concepts.

    Under the teacher, by the cosine of feature and concept embedding. With --absent it writes no
    labels: it finds what images lack, and what their captions mention in vain.
    """

    from_images: bool = option(
        False, "make the features on the way, as rc featurize does, and store none of them"
    )
    temperature: Temperature = temperature_option("the weights that embedded the concepts")
    probability: Probability = option(
        "softmax",
        "softmax: concepts exclude each other; sigmoid: each by itself, so that none may fit; for "
        "teachers trained by the sigmoid loss, with their bias",
    )
    top_k: int = option(64, "concepts kept per region, the rest as one residual", at_least=1)
    min_probability: float = option(
        0.1, "keep regions whose best probability is above", at_least=0, at_most=1
    )
    among: Literal["pool", "captions"] = option(
        "pool",
        "what a region may be called: any concept, or only those its image's captions mention",
    )
    keep_all_if_none: bool = option(
        False, "keep all regions of an image if none is above (published code: of a batch)"
    )
    absent: int | None = option(
        None,
        "write presence in place of labels: of each image so many concepts that it lacks, the "
        "hardest first, and all that a caption mentions and no region is, above --min-probability",
        at_least=1,
    )
    absent_up_to: float = option(
        0.01, "highest probability of any region to be a concept that is absent", above=0, below=1
    )
    block_regions: int | None = option(
        None, "compared at a time; default: 256 on a CPU, 8192 on a GPU", at_least=1
    )
    block_concepts: int = option(8192, "concepts compared at a time", at_least=1)

    name: ClassVar[str] = "label"
    everyday: ClassVar[tuple[str, ...]] = (
        *("min_probability", "among", "temperature", "from_images"),
    )
    example: ClassVar[str] = "rc label --min-probability 0.2"
    version: ClassVar[int] = 4  # each operation has one core
    reads: ClassVar[Mapping[str, Reads]] = {
        "features": each(FEATURES, strict=True),
        "images": each(IMAGES, strict=True),
        "proposals": each(PROPOSALS),
        "teacher": whole(TEACHERS, also=(STUDENTS,), strict=True),
        "embeddings": whole(CONCEPT_EMBEDDINGS),
        "mentions": each(CONCEPTS, drafts=MENTIONS, optional=True),
    }
    writes: ClassVar[Table] = PSEUDO_LABELS
    unit: ClassVar[str] = "regions"
    only_with: ClassVar[Mapping[str, Sequence[str]]] = {
        "from_images": ("images", "teacher", *FEATURE_OPTIONS),
        "absent": ("absent_up_to",),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.absent is not None:
            check_absent(self, self.absent_up_to, self.min_probability)

    def recipe(self) -> dict[str, Any]:
        """See `Stage.recipe`: without what is of labels alone, where none are made."""
        unused = () if self.absent is None else OF_LABELS
        return {name: value for name, value in super().recipe().items() if name not in unused}

    def requires(self) -> Mapping[str, Reads]:
        """See `Stage.requires`: stored features, or what they are made from."""
        unused = {"features"} if self.from_images else {"images", "teacher"}
        if self.absent is not None and not self.from_images:
            unused.add("proposals")
        needed = {role: reads for role, reads in self.reads.items() if role not in unused}
        if self.absent is not None:
            needed["mentions"] = replace(needed["mentions"], optional=False)
        return needed

    def makes(self) -> Table:
        """See `Stage.makes`: labels, or what is absent."""
        return PSEUDO_LABELS if self.absent is None else PRESENCE

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: of features made on the way, their version and more."""
        made = {"featurize": f"version {FEATURE_VERSION}"} if self.from_images else {}
        return {**super().digests(), **made}

    def counts(self) -> str:
        """See `Stage.counts`: images, where they are what is read."""
        return "images" if self.from_images else self.unit

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield one row per region that has a usable feature.

        Raises:
            ArtifactError: If there are no embeddings, they do not fit the features or lack the
                teacher's temperature, mentions are needed and unknown, or a feature is of no
                proposal.
        """
        from stages.labelling.concept_pool import ConceptPool
        from stages.models import device

        device.set_threads(self.threads)
        device.deterministic()
        scale = LabelSimilarity.of(part, self.temperature, self.probability)
        part.note("similarity", scale.note())
        where = device.resolve(self.device)
        pool = ConceptPool.read(part.table("embeddings"), where)
        has_mentions = part.has("mentions")
        mentioned = mentioned_names(part.batches("mentions")) if has_mentions else None
        if mentioned is None and self.among == "captions":
            raise ArtifactError(
                "--among captions needs the mentions of these images; run "
                "rc extract-concepts on them, with --pool for a pool that is there already"
            )
        tables = whole_images(self._features(part, pool), _ROWS)
        features = ((rows.num_rows, *usable_features(rows, part)) for rows in tables)
        if self.absent is None:
            yield from self._labels(part, features, pool, scale, mentioned)
        else:
            found = self._presence(pool, scale, mentioned or {})
            yield from found.of_part(part, features, advance=not self.from_images)

    def _labels(
        self,
        part: Part,
        features: Iterator[_Features],
        pool: ConceptPool,
        scale: LabelSimilarity,
        mentioned: Mapping[str, set[str]] | None,
    ) -> Iterator[pa.RecordBatch]:
        """Rows of pseudo-labels."""
        from stages.models import device

        where = pool.embeddings.device
        boxes = RegionBoxes(part.table("proposals"))
        counts = {"regions": 0, "kept": 0, "unmentioned": 0}
        match = partial(self._match, pool, scale, mentioned)
        for count, usable, matches, unmentioned in device.in_order(features, match, where):
            counts["unmentioned"] += unmentioned
            if matches is not None:
                columns = self._label(usable, matches, pool, mentioned)
                nobody = {"reviewed": [None] * usable.num_rows}
                labels = PSEUDO_LABELS.batch({**columns, **boxes.of(usable), **nobody})
                counts["regions"] += labels.num_rows
                counts["kept"] += labels.column("kept").true_count
                count_agreement(part, labels)
                yield labels
            if not self.from_images:  # else images are counted, where they are read
                part.advance(count)
        part.count("regions", counts)

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`."""
        if self.absent is None:
            return label_outcome(result)
        from stages.labelling.presence_rows import presence_outcome

        return presence_outcome(result, self.absent)

    def _presence(
        self, pool: ConceptPool, scale: LabelSimilarity, mentioned: Mapping[str, set[str]]
    ) -> PresenceFinder:
        from stages.labelling.presence import PresenceRule
        from stages.labelling.presence_rows import PresenceFinder

        rule = PresenceRule(self.absent or 0, self.min_probability, self.absent_up_to)
        numbers = pool.block(self.block_regions) * self.block_concepts
        return PresenceFinder.of(pool, mentioned, scale, rule, numbers)

    def _features(self, part: Part, pool: ConceptPool) -> Iterator[pa.RecordBatch]:
        """Rows of features that are stored, or made on the way."""
        if not self.from_images:
            return part.batches("features")
        pool.check_width(self.feature_width(part))  # before hours of features, not after
        return self.features(part)

    def _match(
        self,
        pool: ConceptPool,
        scale: LabelSimilarity,
        mentioned: Mapping[str, set[str]] | None,
        read: _Features,
    ) -> tuple[int, pa.Table, ConceptMatches | None, int]:
        """Match what was read: rows, of which some are usable, and the features (R, D) of these.

        Returns:
            How many rows, those that are labelled, their concepts (None if there are none), and
            how many have no mentioned concept.
        """
        count, usable, features = read
        if not usable.num_rows:
            return count, usable, None, 0
        if mentioned is None or self.among == "pool":
            block = (self.block_regions, self.block_concepts)
            return count, usable, pool.match(features, scale, self.top_k, block), 0
        labelled, _, matches = pool.match_mentioned(usable, features, mentioned, scale, self.top_k)
        unmentioned = usable.num_rows - labelled.num_rows
        return count, labelled, matches if labelled.num_rows else None, unmentioned

    def _label(
        self,
        rows: pa.Table,
        matches: ConceptMatches,
        pool: ConceptPool,
        mentioned: Mapping[str, set[str]] | None,
    ) -> dict[str, Any]:
        images = rows.column("image_id").to_pylist()
        indices = matches.indices.numpy()  # (R, K)
        best = matches.probabilities[:, 0].numpy()
        return {
            "image_id": images,
            "region": rows.column("region"),
            "concept_id": pool.ids[indices[:, 0]],
            "cosine": matches.cosines[:, 0].numpy(),
            "probability": best,
            "margin": matches.margin.numpy(),
            "entropy": matches.entropy.numpy(),
            "kept": self._kept(np.array(images), best),
            "in_caption": in_caption(images, pool.names, indices[:, 0], mentioned),
            "top_ids": _lists(pool.ids[indices]),
            "top_probabilities": _lists(matches.probabilities.numpy()),
            "residual": matches.residual.numpy(),
        }

    def _kept(self, images: NDArray[Any], best: NDArray[np.float32]) -> NDArray[np.bool_]:
        kept = best > np.float32(self.min_probability)
        if self.keep_all_if_none:
            kept |= ~np.isin(images, images[kept])
        return np.asarray(kept)


def _lists(matrix: NDArray[Any]) -> pa.ListArray:
    """Rows of a matrix as lists."""
    rows, width = matrix.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width)
    return pa.ListArray.from_arrays(offsets, pa.array(matrix.reshape(-1)))
