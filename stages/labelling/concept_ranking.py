"""The largest cosines of a region, exactly: of equal values the lowest index comes first.

Shapes: N regions, C concepts.
"""

from __future__ import annotations

from typing import Final

import torch

_GROUP: Final = 8  # columns per group; fewer give more maxima to sort, more give more members


def top_concepts(cosines: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `count` largest of each row and their indices, largest first.

    (N, C) to (N, count) and (N, count) int64; all C if there are fewer. Of equal values the one
    with the lowest index comes first; `torch.topk` alone promises no order of equal values, nor
    which of them it takes.
    """
    columns = cosines.shape[1]
    values, indices = _top_with_any_ties(cosines, min(count + 1, columns))
    if columns > count:
        tied = values[:, count - 1] == values[:, count]  # equal values on both sides of the cut
        if bool(tied.any()):
            rows = cosines[tied].sort(dim=1, descending=True, stable=True)
            values[tied], indices[tied] = rows.values[:, : count + 1], rows.indices[:, : count + 1]
        values, indices = values[:, :count], indices[:, :count]
    equal = (values[:, 1:] == values[:, :-1]).any(dim=1)
    if bool(equal.any()):
        values[equal], indices[equal] = sort_pairs(values[equal], indices[equal])
    return values, indices


def _top_with_any_ties(cosines: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `count` largest of each row and their indices; any choice and order of equal values.

    Columns are divided into groups. The largest values are in the `count` groups with the
    largest maxima (for any other group, `count` groups have a value at least as large), so only
    the columns of these groups are sorted.
    """
    rows, columns = cosines.shape
    groups = columns // _GROUP
    if groups < 2 * count:
        return cosines.topk(count, dim=1)
    grouped = cosines[:, : groups * _GROUP].view(rows, _GROUP, groups)
    best = grouped.amax(dim=1).topk(count, dim=1, sorted=False).indices  # (N, count)
    steps = torch.arange(_GROUP, device=cosines.device) * groups
    rest = torch.arange(groups * _GROUP, columns, device=cosines.device)  # columns of no group
    indices = (best[:, None, :] + steps[:, None]).flatten(1)  # (N, count * _GROUP)
    indices = torch.cat([indices, rest.expand(rows, -1)], dim=1)
    values, order = cosines.gather(1, indices).topk(count, dim=1)
    return values, indices.gather(1, order)


def sort_pairs(values: torch.Tensor, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs by descending value; pairs of equal value by ascending index."""
    by_index = indices.argsort(dim=1)
    values, indices = values.gather(1, by_index), indices.gather(1, by_index)
    by_value = values.argsort(dim=1, descending=True, stable=True)
    return values.gather(1, by_value), indices.gather(1, by_value)
