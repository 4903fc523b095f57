"""New detectors: a head over a model that was given, and names for it to choose from.

Shapes: K categories, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from schemas.errors import ArtifactError
from schemas.table import as_matrix
from stages.models.clip import read_clip
from stages.models.detector import Detector, is_detector, read_detector
from stages.models.network import Clip

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from stages.models.detector import Head

_SHOWN = 5  # names a complaint lists before "and N more"


def read_any(config: Path, weights: Path, device: str) -> tuple[Clip, Detector | None]:
    """The CLIP of two files, one's own, and the detector around it if they hold one.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    if is_detector(config):
        detector = read_detector(config, weights, device)
        return detector.clip, detector
    return read_clip(config, weights, device), None


def forget_images(clip: Clip, seed: int) -> None:
    """Give the image tower random weights in place, as if new; the language encoder stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = Clip(clip.spec)
    clip.network.visual.load_state_dict(fresh.network.visual.state_dict())


def make_detector(
    clip: Clip, head: Head, embeddings: torch.Tensor, seed: int, like: Detector | None = None
) -> Detector:
    """A detector over `clip`, whose layers are those of `like` where they fit, else drawn.

    Args:
        clip: Shared, not copied.
        head: What is learned.
        embeddings: (K, D).
        seed: Of what is drawn.
        like: Whose box layer and background go on.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Detector(clip, head, embeddings)
    if like is None:
        return made
    with torch.no_grad():
        if (
            like.bbox_pred
            and made.bbox_pred
            and like.bbox_pred.weight.shape == (made.bbox_pred.weight.shape)
        ):
            made.bbox_pred.load_state_dict(like.bbox_pred.state_dict())
        if head.background == like.head.background == "learned":
            made.background.copy_(like.background)
    return made


def rows_of_table(names: Sequence[str], embeddings: pa.Table) -> torch.Tensor:
    """The embeddings (K, D) float32 of names, out of rows of `concept_embeddings`.

    Raises:
        ArtifactError: If a name is not among them.
    """
    matrix = torch.from_numpy(as_matrix(embeddings, "embedding").astype(np.float32))
    return rows_of(names, embeddings["concept"].to_pylist(), matrix)


def rows_of(names: Sequence[str], known: Sequence[str], matrix: torch.Tensor) -> torch.Tensor:
    """The embeddings (K, D) of names, out of a matrix whose rows are called as `known` says.

    Raises:
        ArtifactError: If a name is unknown.
    """
    places = {name: row for row, name in enumerate(known)}
    missing = [name for name in names if name not in places]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise ArtifactError(
            f"{len(missing)} categories have no embedding ({listed}{more}); name embeddings that "
            f"have them, or leave --embeddings out so that the language encoder makes them"
        )
    return matrix[[places[name] for name in names]]
