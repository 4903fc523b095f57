"""Statistics of pseudo-labels as they should never be: huge counts, odd names, extreme boxes."""

from __future__ import annotations

from typing import Any

from pipeline.analysis.report.label_statistics import LabelStatistics

MILLIONS = 123_456_789


def extreme(**changed: Any) -> LabelStatistics:
    """Statistics with odd names, huge counts and extreme boxes."""
    kinds = ("probability", "margin")
    name = f"<b>$x^2$</b>\n{'w' * 60}"
    counts = dict.fromkeys(("labels", "kept", "images", "images_kept", "concepts_kept"), MILLIONS)
    shares = {"precision": None, "recall": 0.004}
    row = {"labels": MILLIONS, "kept": MILLIONS, "on_objects": MILLIONS, "objects": 5, **shares}
    named = {"images": 3, "probability": 0.5, "in_caption": None}
    results: dict[str, list[dict[str, Any]]] = {
        "counts": [
            {**counts, "on_objects": 3, "on_objects_kept": 3, "precision_kept": None}
            | {"probability_kept": 0.5, "in_caption_kept": None}
        ],
        "ground_truth": [{"objects": 5, "categories": 1, "categories_in_pool": 0}],
        "agreement": [{"bin": 9, "labels": 3, "in_caption": 1.0}],
        "distributions": [{**row, "quantity": kind, "bin": 3} for kind in kinds],
        "concepts": [{**row, **named, "concept": name}, {**row, **named, "concept": "cat"}],
        "boxes": [
            {**row, "quantity": kind, "bin": at} for kind in ("side", "aspect") for at in (-31, 47)
        ],
        "thresholds": [{**row, "threshold": at / 20} for at in range(20)],
        "calibration": [{"bin": 3, "labels": 3, "total": 0.6, "agreeing": 1}],
        "confusions": [{"truth": name[::-1], "concept": name, "regions": MILLIONS}],
        "sizes": [{**row, "size": size} for size in ("small", "medium", "large")],
    }
    return LabelStatistics("pseudo_labels/v2-0", None, {**results, **changed})
