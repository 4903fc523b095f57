"""Feature stage: what decides a feature, for the verb that stores features and one that does not.

`rc featurize` writes what `FeatureStage.features` yields; `rc label --from-images` labels it and
drops it. Both inherit the options, so that each is declared, explained and checked once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Literal

from stages.base import Part, Stage, option
from stages.models import pooling_option as pooled
from stages.models.dense_option import DEFAULT_RESIZE, Dense, check_pooling, dense_option
from stages.models.network_stage import NetworkStage
from stages.models.resizing import Size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

FEATURE_VERSION: Final = 4  # each operation has one core; raised when features change


@dataclass(frozen=True, kw_only=True)
class FeatureStage(NetworkStage):
    """A stage that embeds regions; it reads `images`, `proposals` and `teacher` to do so."""

    resize: str = option(
        DEFAULT_RESIZE, "SHORTESTxLONGEST side in pixels, native (the network's own side), or none"
    )
    interpolation: pooled.Interpolation | None = pooled.interpolation_option()
    pooling: pooled.Pooling = pooled.pooling_option()
    crop_margin: float = pooled.crop_margin_option()
    dense: Dense = dense_option()
    whole_image: bool = option(True, "embed the whole image too, as region -1")
    dtype: Literal["float16", "float32"] = option("float16", "precision of a feature")
    batch_images: int = option(8, "images held at a time", at_least=1)
    batch_regions: int = option(64, "regions embedded at a time", at_least=1)
    loaders: int = option(2, "threads that decode and resize ahead", recipe=False, at_least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        Size.parse(self.resize, native=1)  # only to refuse what it does not understand
        check_pooling(self.name, self.pooling, self.dense, self.crop_margin, self.resize)

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """See `Stage.plan`: where images are read, their parts that have proposals."""
        if "images" not in parts:
            return super().plan(parts)
        proposed = set(parts["proposals"])
        return [number for number in parts["images"] if number in proposed]

    def feature_width(self, part: Part) -> int:
        """Width D of the features; the network is not loaded to know it."""
        from stages.models.clip_spec import ClipSpec

        return int(ClipSpec.read(part.attachment("teacher", "model.json")).config["embed_dim"])

    def features(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Rows of `features`: one per region, in the order of the images and their proposals.

        Counts the images under `images`, see `stages.featurizing.image_counts`; those that cannot
        be read, and features that are not finite, go to quarantine. Advances by images.

        Raises:
            ArtifactError: If the proposals do not follow the order of the images.
        """
        from stages.featurizing.feature_rows import FeatureRows

        return FeatureRows(self, part).batches()


FEATURE_OPTIONS: Final = tuple(
    sorted({f.name for f in fields(FeatureStage)} - {f.name for f in fields(Stage)})
)
