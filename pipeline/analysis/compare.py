"""Compare two evaluations: each metric of both, with bootstrap intervals of the difference."""

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
_TOP_K: Final = {"top1": 1, "top5": 5}


@dataclass(frozen=True)
class MetricComparison:
    """One metric of both evaluations; intervals contain 95 per cent of resamples of the images.

    Attributes:
        metric: top1, AP50, ...
        split: all, base, novel.
        first: Value of the first evaluation.
        first_low: Lower end of its interval; None if the metric is not resampled.
        first_high: Upper end.
        second: Value of the second evaluation.
        second_low: Lower end of its interval.
        second_high: Upper end.
        difference: Second minus first.
        low: Lower end of the interval of the difference, over the same resamples of both.
        high: Upper end.
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
        """Whether the interval of the difference excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def compare(
    root: Path, first: str, second: str, *, seed: int = 0, count: int = RESAMPLES
) -> list[MetricComparison]:
    """Compare every metric of two evaluations of the same images and category names.

    Args:
        root: The store.
        first: `metrics@prefix`, or the prefix alone.
        second: The other evaluation.
        seed: Seed of the resamples.
        count: Number of resamples.

    Raises:
        ArtifactNotFoundError: If one does not exist.
        ArtifactError: If images, names or splits differ, or one has no matches.
    """
    artifacts = [catalog.find(root, _address(name), METRICS.version) for name in (first, second)]
    splits = _shared_splits(*artifacts)
    resampled = _resampled_metrics(artifacts, splits, seed, count)
    first_values, second_values = (_split_metrics(artifact) for artifact in artifacts)
    return [
        _compare_metric(key, value, second_values[key], [values.get(key) for values in resampled])
        for key, value in first_values.items()
        if key in second_values
    ]


def as_json(comparisons: list[MetricComparison]) -> list[dict[str, Any]]:
    """The comparisons as plain values."""
    return [{**asdict(comparison), "apart": comparison.apart} for comparison in comparisons]


def _address(name: str) -> str:
    return name if name.split("@")[0].split("/")[0] == METRICS.name else f"{METRICS.name}@{name}"


def _shared_splits(first: Artifact, second: Artifact) -> dict[str, list[int]]:
    """Category ids of each split, equal for both evaluations.

    Raises:
        ArtifactError: If images, names or splits differ.
    """
    pair = f"{first.address} and {second.address}"
    if first.manifest.inputs.get("images") != second.manifest.inputs.get("images"):
        raise ArtifactError(f"{pair} evaluated different images, so they cannot be compared")
    needed = ("matches.parquet", "ground_truth.parquet")
    incomplete = [a for a in (first, second) if not all(map(a.attachments, needed))]
    if incomplete:
        raise ArtifactError(
            f"{incomplete[0].address} has no matches, or was made by an older version; evaluate "
            "again with --force"
        )
    one, other = (a.manifest.notes["protocol"]["vocabulary"] for a in (first, second))
    if one["names"] != other["names"] or one["members"] != other["members"]:
        raise ArtifactError(
            f"{pair} have different category names or splits; evaluate one again with "
            f"the other's --categories and --splits"
        )
    members: dict[str, list[int]] = one["members"]
    return members


def _split_metrics(artifact: Artifact) -> dict[Key, float]:
    """Metrics of whole splits, without those of single categories."""
    rows = [
        row
        for path in artifact.files()
        for row in pq.read_table(path, page_checksum_verification=True).to_pylist()
    ]
    return {(r["metric"], r["split"]): r["value"] for r in rows if not r["category"]}


def _resampled_metrics(
    artifacts: list[Artifact], splits: Mapping[str, list[int]], seed: int, count: int
) -> list[Values]:
    """Metrics of each resample, equal for both; the first resample is the images themselves."""
    from stages.evaluation import bootstrap
    from stages.evaluation.matches_file import read_matches

    matches = [
        read_matches(a.attachments("matches.parquet")[0], a.attachments("ground_truth.parquet")[0])
        for a in artifacts
    ]
    if matches[0].images != matches[1].images:
        raise ArtifactError(
            f"{artifacts[0].address} and {artifacts[1].address} evaluated different images: one "
            f"could not read some, or had another --limit"
        )
    weights = bootstrap.resample_weights(len(matches[0].images), count, seed)
    results: list[Values] = []
    for artifact, matched in zip(artifacts, matches, strict=True):
        values = dict(bootstrap.average_precision(matched, weights, splits))
        values |= _accuracies(artifact, matched.images, splits, weights)
        results.append(values)
    return results


def _accuracies(
    artifact: Artifact,
    images: tuple[str, ...],
    splits: Mapping[str, list[int]],
    weights: NDArray[np.float64],
) -> dict[Key, NDArray[np.float64]]:
    """top-1 and top-5 of each resample, if ground-truth boxes were classified."""
    from stages.evaluation.bootstrap import accuracy

    columns = ["image_id", "truth", "rank"]
    rows = pq.read_table(
        artifact.attachments("evaluated_detections.parquet")[0],
        columns=columns,
        page_checksum_verification=True,
    )
    if not len(rows) or rows["rank"].null_count:
        return {}
    names = artifact.manifest.notes["protocol"]["vocabulary"]["names"]
    indices = {image_id: index for index, image_id in enumerate(images)}
    ids = {name: k for k, name in enumerate(names)}
    image = np.array([indices[image_id] for image_id in rows["image_id"].to_pylist()], np.int64)
    truth = np.array([ids[name] for name in rows["truth"].to_pylist()], np.int64)
    rank = rows["rank"].to_numpy()
    return {
        (metric, split): accuracy(image, rank < k, np.isin(truth, members), weights)
        for metric, k in _TOP_K.items()
        for split, members in splits.items()
        if np.isin(truth, members).any()
    }


def _compare_metric(
    key: Key, first: float, second: float, resampled: list[NDArray[np.float64] | None]
) -> MetricComparison:
    from stages.evaluation.bootstrap import interval

    first_samples, second_samples = resampled
    if first_samples is None or second_samples is None:
        return MetricComparison(
            *key, first, None, None, second, None, None, second - first, None, None
        )
    intervals = [
        interval(samples[1:])
        for samples in (first_samples, second_samples, second_samples - first_samples)
    ]
    return MetricComparison(
        *key,
        first,
        intervals[0].low,
        intervals[0].high,
        second,
        intervals[1].low,
        intervals[1].high,
        second - first,
        intervals[2].low,
        intervals[2].high,
    )
