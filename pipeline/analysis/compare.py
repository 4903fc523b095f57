"""Compare: two evaluations side by side, with how far apart they are by more than chance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq

from pipeline.store import catalog
from schemas.errors import ArtifactError
from schemas.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact

    Key = tuple[str, str]  # metric, split
    Values = Mapping[Key, NDArray[np.float64]]

RESAMPLES: Final = 1000
_RANKS: Final = {"top1": 1, "top5": 5}


@dataclass(frozen=True)
class MetricComparison:
    """One metric of both evaluations; intervals hold 95 per cent of resamples of the images.

    Attributes:
        metric: top1, AP50, ...
        split: all, base, novel.
        first: The one's value.
        first_low: Of its interval; None where the metric is not resampled.
        first_high: Likewise.
        second: The other's.
        second_low: Likewise.
        second_high: Likewise.
        difference: Second minus first.
        low: Of the interval of the difference, over the same resamples of both.
        high: Likewise.
    """

    metric: str
    split: str
    first: float
    first_low: float | None
    first_high: float | None
    second: float
    second_low: float | None
    second_high: float | None
    difference: float
    low: float | None
    high: float | None

    @property
    def apart(self) -> bool:
        """Whether the difference keeps its sign over 95 per cent of the resamples."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def compare(
    root: Path, first: str, second: str, *, seed: int = 0, count: int = RESAMPLES
) -> list[MetricComparison]:
    """Every metric of two evaluations of the same images and vocabulary.

    Args:
        root: The store.
        first: `metrics@prefix`, or the prefix alone.
        second: The other.
        seed: Of the resamples.
        count: Resamples.

    Raises:
        ArtifactNotFoundError: If one is not there.
        ArtifactError: If they cannot be compared: other images, names, splits, or no matches.
    """
    found = [catalog.find(root, _full(name), METRICS.version) for name in (first, second)]
    splits = _comparable(*found)
    resampled = _resampled(found, splits, seed, count)
    one, other = (_values(artifact) for artifact in found)
    shared = [key for key in one if key in other]
    return [_line(key, one[key], other[key], [r.get(key) for r in resampled]) for key in shared]


def as_json(lines: list[MetricComparison]) -> list[dict[str, Any]]:
    """The lines as plain values."""
    return [{**asdict(line), "apart": line.apart} for line in lines]


def _full(name: str) -> str:
    return name if name.split("@")[0].split("/")[0] == METRICS.name else f"{METRICS.name}@{name}"


def _comparable(first: Artifact, second: Artifact) -> dict[str, list[int]]:
    """The splits of both, as ids.

    Raises:
        ArtifactError: If images, names or splits differ.
    """
    told = f"{first.address} and {second.address}"
    if first.manifest.inputs.get("images") != second.manifest.inputs.get("images"):
        raise ArtifactError(f"{told} are about different images, so no difference means anything")
    lacking = [a.address for a in (first, second) if not a.attachments("matches.parquet")]
    if lacking:
        raise ArtifactError(f"{lacking[0]} has no matches beside it; evaluate again with --force")
    pools = [a.manifest.notes["protocol"]["vocabulary"] for a in (first, second)]
    if pools[0]["names"] != pools[1]["names"] or pools[0]["members"] != pools[1]["members"]:
        raise ArtifactError(
            f"{told} chose among different names or have other splits; evaluate one again with "
            f"the other's --categories and --splits"
        )
    members: dict[str, list[int]] = pools[0]["members"]
    return members


def _values(artifact: Artifact) -> dict[Key, float]:
    """Metrics of whole splits."""
    rows = [row for path in artifact.files() for row in pq.read_table(path).to_pylist()]
    return {(r["metric"], r["split"]): r["value"] for r in rows if not r["category"]}


def _resampled(
    found: list[Artifact], splits: Mapping[str, list[int]], seed: int, count: int
) -> list[Values]:
    """Metrics of each resample, the same resamples for both; the first is the images themselves."""
    from stages.evaluation import bootstrap
    from stages.evaluation.matches_file import read_matches

    judged = [
        read_matches(a.attachments("matches.parquet")[0], a.attachments("ground_truth.parquet")[0])
        for a in found
    ]
    if judged[0].images != judged[1].images:
        raise ArtifactError(
            f"{found[0].address} and {found[1].address} looked at different images, as if one "
            f"could not read some, or had another --limit"
        )
    weights = bootstrap.resample_weights(len(judged[0].images), count, seed)
    results: list[Values] = []
    for artifact, own in zip(found, judged, strict=True):
        values = dict(bootstrap.average_precision(own, weights, splits))
        values |= _accuracies(artifact, own.images, splits, weights)
        results.append(values)
    return results


def _accuracies(
    artifact: Artifact,
    images: tuple[str, ...],
    splits: Mapping[str, list[int]],
    weights: NDArray[np.float64],
) -> dict[Key, NDArray[np.float64]]:
    """top-1 and top-5 of each resample, where ground-truth boxes were named."""
    from stages.evaluation.bootstrap import accuracy

    columns = ["image_id", "truth", "rank"]
    rows = pq.read_table(artifact.attachments("detections.parquet")[0], columns=columns)
    if not len(rows) or rows["rank"].null_count:
        return {}
    names = artifact.manifest.notes["protocol"]["vocabulary"]["names"]
    place = {name: at for at, name in enumerate(images)}
    ids = {name: k for k, name in enumerate(names)}
    image = np.array([place[name] for name in rows["image_id"].to_pylist()], np.int64)
    truth = np.array([ids[name] for name in rows["truth"].to_pylist()], np.int64)
    rank = rows["rank"].to_numpy()
    return {
        (metric, split): accuracy(image, rank < best, np.isin(truth, own), weights)
        for metric, best in _RANKS.items()
        for split, own in splits.items()
        if np.isin(truth, own).any()
    }


def _line(
    key: Key, first: float, second: float, resampled: list[NDArray[np.float64] | None]
) -> MetricComparison:
    from stages.evaluation.bootstrap import interval

    one, other = resampled
    if one is None or other is None:
        return MetricComparison(
            *key, first, None, None, second, None, None, second - first, None, None
        )
    spans = [interval(values[1:]) for values in (one, other, other - one)]
    return MetricComparison(
        *key,
        first,
        spans[0].low,
        spans[0].high,
        second,
        spans[1].low,
        spans[1].high,
        second - first,
        spans[2].low,
        spans[2].high,
    )
