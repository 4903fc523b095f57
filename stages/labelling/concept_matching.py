"""Which concepts a region looks like: exact cosines and a softmax over all of them.

The (N, C) matrix of cosines is never whole: regions and concepts pass in blocks, and of a region
only the K most similar concepts, two sums and a maximum are carried along. Everything stays in
log space or relative to that maximum, so nothing overflows at any temperature.

Shapes: N regions, C concepts, D embedding width, K concepts kept.

Source: RegionCLIP (arXiv:2112.09106), pseudo-labels by a teacher.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import count, groupby, islice
from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional as F  # noqa: N812

if TYPE_CHECKING:
    from collections.abc import Sequence

_GROUP: Final = 8  # columns in a group; fewer leave more maxima to sort, more leave more members


@dataclass(frozen=True, slots=True)
class ConceptMatches:
    """The distribution over all concepts of each region, as far as it is kept.

    Attributes:
        indices: (N, K) int64, most similar first; of equals the lowest first.
        cosines: (N, K) in [-1, 1].
        probabilities: (N, K) under the softmax over all C concepts.
        residual: (N,) probability of all other concepts together.
        margin: (N,) best probability minus the second; the best itself if C is 1.
        entropy: (N,) of the distribution over all C concepts, nats.
    """

    indices: torch.Tensor
    cosines: torch.Tensor
    probabilities: torch.Tensor
    residual: torch.Tensor
    margin: torch.Tensor
    entropy: torch.Tensor

    def cpu(self) -> ConceptMatches:
        """The same in main memory."""
        return ConceptMatches(**{f.name: getattr(self, f.name).cpu() for f in fields(self)})

    @classmethod
    def joined(cls, some: Sequence[ConceptMatches]) -> ConceptMatches:
        """Those of several blocks of regions, one after the other; at least one block."""
        names = [f.name for f in fields(cls)]
        return cls(**{name: torch.cat([getattr(m, name) for m in some]) for name in names})


def concept_probabilities(
    features: torch.Tensor, embeddings: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Probability of each concept for each region, all at once.

    Args:
        features: (N, D), any length.
        embeddings: (C, D), any length.
        temperature: Divides the cosine similarity before the softmax.

    Returns:
        (N, C) in [0, 1]; rows sum to 1.
    """
    cosines = F.normalize(features, dim=1) @ F.normalize(embeddings, dim=1).T
    return (cosines / temperature).softmax(dim=1)


def match_concepts(
    features: torch.Tensor,
    embeddings: torch.Tensor,
    temperature: float,
    top_k: int,
    block: tuple[int, int] = (256, 8192),
) -> ConceptMatches:
    """The most probable concepts of each region, and what the rest of its distribution is like.

    Args:
        features: (N, D) unit rows.
        embeddings: (C, D) unit rows; at least one.
        temperature: Divides the cosine similarity before the softmax.
        top_k: Concepts kept, K; all C if there are fewer.
        block: Regions and concepts compared at a time; twice their product of numbers is held.
    """
    carried = min(max(top_k, 2), len(embeddings))  # the margin needs two
    found = []
    for some in torch.split(features, block[0]):
        running = _Running.start(some, carried)
        for first in range(0, len(embeddings), block[1]):
            cosines = some @ embeddings[first : first + block[1]].T  # (n, c)
            running = running.after(cosines, first, temperature)
        found.append(running.finish(min(top_k, carried), temperature))
    return ConceptMatches.joined(found)


def match_subsets(
    features: torch.Tensor,
    embeddings: torch.Tensor,
    subsets: Sequence[Sequence[int]],
    temperature: float,
    top_k: int,
) -> ConceptMatches:
    """As `match_concepts`, but each region has concepts of its own to choose among.

    Args:
        features: (N, D) unit rows.
        embeddings: (C, D) unit rows.
        subsets: N lists of rising places in `embeddings`, none empty; the softmax is over these,
            and any other concept has probability 0. Neighbours with equal lists go together.
        temperature: Divides the cosine similarity before the softmax.
        top_k: Concepts kept, K; lists that are shorter are filled with concepts of probability 0.
    """
    kept = min(top_k, len(embeddings))
    found, first = [], 0
    for places, run in groupby(subsets):
        last = first + sum(1 for _ in run)
        among = embeddings[list(places)]
        matches = match_concepts(features[first:last], among, temperature, kept)
        found.append(_filled(matches, places, kept))
        first = last
    if not found:
        return match_concepts(features, embeddings, temperature, kept)
    return ConceptMatches(
        **{f.name: torch.cat([getattr(m, f.name) for m in found]) for f in fields(ConceptMatches)}
    )


def _filled(matches: ConceptMatches, places: Sequence[int], kept: int) -> ConceptMatches:
    """Matches within a subset, as places in the whole pool, K wide."""
    chosen = set(places)
    missing = kept - matches.indices.shape[1]
    others = list(islice((c for c in count() if c not in chosen), max(missing, 0)))
    rows = len(matches.indices)
    back = torch.tensor(places, device=matches.indices.device)
    fill = back.new_tensor(others).expand(rows, -1)
    zeros = matches.probabilities.new_zeros(rows, len(others))
    return replace(
        matches,
        indices=torch.cat([back[matches.indices], fill], dim=1),
        cosines=torch.cat([matches.cosines, zeros], dim=1),
        probabilities=torch.cat([matches.probabilities, zeros], dim=1),
    )


def top_concepts(cosines: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `count` largest of each row and their places, largest first; of equals the first first.

    (N, C) to (N, count) and (N, count) int64; all C if there are fewer. `torch.topk` alone
    promises no order of equals, nor which of them it takes.
    """
    columns = cosines.shape[1]
    values, places = _leading(cosines, min(count + 1, columns))
    if columns > count:
        torn = values[:, count - 1] == values[:, count]  # equals on both sides of the cut
        if bool(torn.any()):
            whole = cosines[torn].sort(dim=1, descending=True, stable=True)
            values[torn], places[torn] = whole.values[:, : count + 1], whole.indices[:, : count + 1]
        values, places = values[:, :count], places[:, :count]
    equal = (values[:, 1:] == values[:, :-1]).any(dim=1)
    if bool(equal.any()):
        values[equal], places[equal] = _ordered(values[equal], places[equal])
    return values, places


def _leading(cosines: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `count` largest of each row and their places, equals in any order and of any place.

    Columns are dealt into groups. What leads lies in the `count` groups with the largest maxima
    (of a group left out, `count` others hold something as large), so only these are sorted.
    """
    rows, columns = cosines.shape
    groups = columns // _GROUP
    if groups < 2 * count:
        return cosines.topk(count, dim=1)
    dealt = cosines[:, : groups * _GROUP].view(rows, _GROUP, groups)
    best = dealt.amax(dim=1).topk(count, dim=1, sorted=False).indices  # (N, count)
    steps = torch.arange(_GROUP, device=cosines.device) * groups
    left = torch.arange(groups * _GROUP, columns, device=cosines.device)  # dealt to no group
    places = (best[:, None, :] + steps[:, None]).flatten(1)  # (N, count * _GROUP)
    places = torch.cat([places, left.expand(rows, -1)], dim=1)
    values, order = cosines.gather(1, places).topk(count, dim=1)
    return values, places.gather(1, order)


@dataclass(frozen=True, slots=True)
class _Running:
    """What is known after some blocks; sums are of exp((cosine - highest) / temperature).

    Attributes:
        values: (N, up to K) cosines of the leading concepts.
        places: (N, up to K) which they are.
        count: K.
        highest: (N, 1) largest cosine.
        others: (N, 1) sum over concepts that do not lead.
        weighted: (N, 1) sum over all concepts of exp(x) * x.
    """

    values: torch.Tensor
    places: torch.Tensor
    count: int
    highest: torch.Tensor
    others: torch.Tensor
    weighted: torch.Tensor

    @classmethod
    def start(cls, features: torch.Tensor, count: int) -> _Running:
        rows = len(features)
        return cls(
            values=features.new_zeros(rows, 0),
            places=torch.zeros(rows, 0, dtype=torch.int64, device=features.device),
            count=count,
            highest=features.new_full((rows, 1), -2.0),  # below any cosine
            others=features.new_zeros(rows, 1),
            weighted=features.new_zeros(rows, 1),
        )

    def after(self, cosines: torch.Tensor, first: int, temperature: float) -> _Running:
        """With the next block (N, c), whose first concept is number `first`; overwrites it."""
        values, places = top_concepts(cosines, self.count)
        highest = torch.maximum(self.highest, values[:, :1])
        drop = (self.highest - highest) / temperature  # what was summed is now further below
        logits = cosines.sub_(highest).div_(temperature)
        weights = logits.exp()
        fresh = torch.linalg.vecdot(weights, logits)[:, None]
        others = weights.scatter_(1, places, 0.0).sum(dim=1, keepdim=True)

        leading = ((self.values - self.highest) / temperature).exp()
        mass = self.others + leading.sum(dim=1, keepdim=True)
        weighted = drop.exp() * (self.weighted + drop * mass) + fresh
        others = others + drop.exp() * self.others

        places = places + first
        if self.values.shape[1]:
            values = torch.cat([self.values, values], dim=1)
            values, places = _ordered(values, torch.cat([self.places, places], dim=1))
        beaten = ((values[:, self.count :] - highest) / temperature).exp().sum(dim=1, keepdim=True)
        return _Running(
            values[:, : self.count],
            places[:, : self.count],
            self.count,
            highest,
            others + beaten,
            weighted,
        )

    def finish(self, top_k: int, temperature: float) -> ConceptMatches:
        """The distribution, now that every concept has been seen."""
        leading = ((self.values - self.highest) / temperature).exp()  # (N, K), the first is 1
        total = self.others + leading.sum(dim=1, keepdim=True)
        probabilities = leading / total
        residual = (self.others + leading[:, top_k:].sum(dim=1, keepdim=True)) / total
        second = probabilities[:, 1] if self.count > 1 else 0.0
        return ConceptMatches(
            indices=self.places[:, :top_k],
            cosines=self.values[:, :top_k].clamp(-1, 1),
            probabilities=probabilities[:, :top_k],
            residual=residual[:, 0],
            margin=probabilities[:, 0] - second,
            entropy=(total.log() - self.weighted / total)[:, 0].clamp(min=0),
        )


def _ordered(values: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs sorted by falling value, equals by rising place."""
    by_place = places.argsort(dim=1)
    values, places = values.gather(1, by_place), places.gather(1, by_place)
    by_value = values.argsort(dim=1, descending=True, stable=True)
    return values.gather(1, by_value), places.gather(1, by_value)
