"""A plane in which similar regions are near each other: t-SNE of their features.

Everything that decides the positions runs on one thread, so that they are the same bits on any
number of cores: products of matrices, the exact neighbours, and openTSNE.

Shapes: N regions, D width, K neighbours.

Source: van der Maaten and Hinton, "Visualizing data using t-SNE" (JMLR 2008); that it begins with
principal components, Kobak and Berens (Nature Communications, 2019), as are the learning rate and
the two phases; interpolated repulsion, Linderman et al. (arXiv:1712.09005). All are openTSNE's
(Policar, Strazar and Zupan, JSS 2024).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import ArtifactError, OptionError
from stages import blas
from stages.seeds import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_PERPLEXITY: Final = 2.0
_COMPONENTS: Final = 50  # principal components that neighbours are found by, as is usual
_BLOCK: Final = 1024  # regions whose distances to all others are in memory
_NEIGHBOURS: Final = 3  # for each unit of perplexity
_EXAGGERATED, _PLAIN = 250, 500  # steps of the two phases
_EXAGGERATION: Final = 12.0
_SPREAD, _JITTER = 1e-4, 1e-6  # standard deviation of where t-SNE begins, and of a shift of each
_INTERPOLATED: Final = 10_000  # regions from which repulsion is interpolated on a grid


def unit_vectors(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (N, D) at length 1; those without direction, zero or not finite, as 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt((features.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
        found = np.isfinite(lengths) & (lengths > 0)
        return np.where(found, features / np.where(found, lengths, 1), 0).astype(np.float32)


def principal_components(vectors: NDArray[np.float32], most: int) -> NDArray[np.float64]:
    """The first principal components (N, K) of vectors (N, D), the largest variance first.

    K is at most `most`, D and N. Of each axis the largest entry is positive, so its sign is fixed.

    Raises:
        ArtifactError: If all vectors are equal.
    """
    width = vectors.shape[1]
    mean = vectors.mean(axis=0, dtype=np.float64)
    with blas.one_thread():
        products = np.zeros((width, width))
        for first in range(0, len(vectors), _BLOCK):
            block = vectors[first : first + _BLOCK] - mean
            products += block.T @ block
        variances, axes = np.linalg.eigh(products)
        if not variances[-1] > len(vectors) * np.finfo(np.float32).eps ** 2:
            raise ArtifactError("all these regions have one feature: there is nothing to map")
        axes = axes[:, ::-1][:, : min(most, *vectors.shape)]
        largest = np.abs(axes).argmax(axis=0)
        axes *= np.sign(axes[largest, np.arange(axes.shape[1])])
        found = np.empty((len(vectors), axes.shape[1]))
        for first in range(0, len(vectors), _BLOCK):
            found[first : first + _BLOCK] = (vectors[first : first + _BLOCK] - mean) @ axes
    return found


def nearest(points: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The `count` nearest others of each point, and their distances, the nearest first.

    Args:
        points: (N, D).
        count: K, below N.

    Returns:
        (N, K) places, and (N, K) Euclidean distances.
    """
    places = np.empty((len(points), count), np.int64)
    distances = np.empty((len(points), count))
    squares = (points**2).sum(axis=1)
    with blas.one_thread():
        for first in range(0, len(points), _BLOCK):
            block = points[first : first + _BLOCK]
            here = np.arange(len(block))
            squared = squares[first + here, None] + squares - 2 * (block @ points.T)
            squared[here, first + here] = np.inf
            some = np.argpartition(squared, count - 1, axis=1)[:, :count]
            some.sort(axis=1)  # so that of equals the earlier comes first
            found = np.take_along_axis(squared, some, axis=1)
            order = np.argsort(found, axis=1, kind="stable")
            places[first + here] = np.take_along_axis(some, order, axis=1)
            distances[first + here] = np.take_along_axis(found, order, axis=1)
    return places, np.sqrt(np.maximum(distances, 0))


def t_sne(vectors: NDArray[np.float32], perplexity: float, seed: int) -> NDArray[np.float64]:
    """Positions (N, 2) of vectors (N, D) by t-SNE.

    Args:
        vectors: Of length 1.
        perplexity: About how many neighbours each keeps near.
        seed: Of the shift that parts regions of equal features.

    Raises:
        OptionError: If there are too few regions for the perplexity, or openTSNE is missing.
        ArtifactError: If all vectors are equal.
    """
    check_perplexity(perplexity, len(vectors))
    open_tsne = import_open_tsne()
    components = principal_components(vectors, _COMPONENTS)
    count = min(len(vectors) - 1, int(_NEIGHBOURS * perplexity))
    neighbours = open_tsne.nearest_neighbors.PrecomputedNeighbors(*nearest(components, count))
    affinities = open_tsne.affinity.PerplexityBasedNN(
        knn_index=neighbours, perplexity=perplexity, n_jobs=1
    )
    begin = np.zeros((len(vectors), 2))
    begin[:, : components.shape[1]] = components[:, :2] * (_SPREAD / components[:, 0].std())
    begin += generator("map-regions", seed).normal(scale=_JITTER, size=begin.shape)
    method = "fft" if len(vectors) >= _INTERPOLATED else "bh"
    plane = open_tsne.TSNEEmbedding(
        begin, affinities, negative_gradient_method=method, n_jobs=1, random_state=seed % 2**32
    )
    for steps, exaggeration in ((_EXAGGERATED, _EXAGGERATION), (_PLAIN, 1.0)):
        plane = plane.optimize(n_iter=steps, exaggeration=exaggeration, momentum=0.8)
    return np.asarray(plane, np.float64)


def check_perplexity(perplexity: float, regions: int) -> None:
    """Pass if there are enough regions for a perplexity: three times as many others.

    Raises:
        OptionError: If there are not.
    """
    if _NEIGHBOURS * perplexity <= regions - 1:
        return
    most = (regions - 1) // _NEIGHBOURS
    instead = f"--perplexity {most} or lower, or " if most >= LEAST_PERPLEXITY else ""
    raise OptionError(
        f"rc map-regions: --perplexity {perplexity:g} needs "
        f"{int(np.ceil(_NEIGHBOURS * perplexity)) + 1:,} regions or more, and there are "
        f"{regions:,}; give {instead}--method pca"
    )


def in_square(positions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Positions (N, 2) in [-1, 1], with their middle at 0 and one scale for both axes."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    scale = max((high - low).max() / 2, np.finfo(np.float32).tiny)
    square = np.clip((positions - (low + high) / 2) / scale, -1, 1)
    return np.asarray(square, np.float32)


def import_open_tsne() -> Any:
    """The package openTSNE.

    Raises:
        OptionError: If it is not installed.
    """
    try:
        import openTSNE
        import openTSNE.affinity
        import openTSNE.nearest_neighbors
    except ImportError as error:
        raise OptionError(
            f"rc map-regions --method t-sne needs the package {error.name}; install the extra: "
            "pip install 'regionclip-toolkit[map]', or give --method pca, which shows less"
        ) from None
    return openTSNE
