"""Plots of shares with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.analysis.report.plots import KEPT, set_share_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.auditing.estimation import Estimate


def share_band(
    axes: Any, positions: Sequence[float], estimates: Sequence[Estimate], axis: str, title: str
) -> None:
    """A line of shares in [0, 1] at positions in [0, 1], and a band of their intervals.

    What has no share is a gap.
    """
    shares = np.array([np.nan if one.share is None else one.share for one in estimates])
    low, high = (
        np.where(np.isnan(shares), np.nan, [getattr(one, end) for one in estimates])
        for end in ("low", "high")
    )
    axes.fill_between(positions, low, high, color=KEPT, alpha=0.2, linewidth=0)
    axes.plot(positions, shares, "o-", color=KEPT, linewidth=2.2, markersize=4, clip_on=False)
    end = set_share_axis(axes, [one.high for one in estimates if one.share is not None])
    axes.set(xlim=(0, 1), ylim=(0, end), xlabel=axis, title=title)
    axes.grid()


def share_intervals(
    axes: Any, names: Sequence[str], estimates: Sequence[Estimate], title: str
) -> None:
    """A point with its interval per name, the first on top; none where there is no share."""
    known = [
        (place, one.share, one) for place, one in enumerate(estimates) if one.share is not None
    ]
    for place, share, one in known:
        axes.plot([one.low, one.high], [place, place], color=KEPT, alpha=0.4, linewidth=4)
        axes.plot(share, place, "o", color=KEPT, markersize=6)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6))
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.figure.suptitle(title, x=0.01, ha="left", fontsize=12)  # long names leave no space for it
