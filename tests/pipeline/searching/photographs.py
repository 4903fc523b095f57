"""A small store of five photographs made by the real stages, for tests that need a model."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image

from tests.pipeline.helpers import make

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

NAMES = ("bare.png", "odd:name.png", "plain.png", "turned.jpg", "twin.png")
WIDTH, HEIGHT = 320, 256  # of every photograph, the right way up
REGIONS = 6  # of a photograph, besides itself
_ORIENTATION = 0x0112  # EXIF tag


@dataclass(frozen=True)
class Photographs:
    """The store, and the photographs it was made from.

    Attributes:
        folder: The photographs; turned.jpg has an EXIF rotation, twin.png is a copy of plain.png.
        features: The newest features, from a teacher, with pseudo-labels.
        small: Features of the same regions at half the image size, without pseudo-labels.
    """

    folder: Path
    features: Artifact
    small: Artifact

    @property
    def root(self) -> Path:
        return self.features.root


@cache
def photographs(base: Path) -> Photographs:
    """The store, made once per session in the folder of the session."""
    from pipeline.demo import weights_folder
    from stages.embed_concepts import EmbedConcepts
    from stages.extract_concepts import ExtractConcepts
    from stages.featurize import Featurize
    from stages.ingest import Ingest
    from stages.label import Label
    from stages.pretrain import Pretrain
    from stages.propose import Propose

    base_folder, weights = base / "searched", weights_folder()
    folder, pool, root = base_folder / "photos", base_folder / "pool.txt", base_folder / "store"
    _write_photographs(folder)
    pool.write_text("umbrella\ncup\nkite\ndog\n")
    make(Ingest(sources=(str(folder),)), root)
    make(ExtractConcepts(from_file=pool, min_frequency=1), root)
    model, trained = (str(weights / name) for name in ("teacher_model.json", "teacher.safetensors"))
    make(Pretrain(model=model, pretrained=trained, steps=0), root)
    make(EmbedConcepts(templates="plain"), root)
    make(Propose(random=True, regions=REGIONS), root)
    small = make(Featurize(resize="96x200"), root)
    features = make(Featurize(resize="192x400"), root)
    make(Label(), root, {"features": features.address})
    return Photographs(folder, features, small)


def _write_photographs(folder: Path) -> None:
    from stages.synthetic.rendering import render_scene

    folder.mkdir(parents=True)
    for number, name in enumerate(NAMES[:3]):
        Image.fromarray(render_scene(3, number).image).save(folder / name)
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    on_its_side = Image.fromarray(render_scene(3, 3).image).transpose(Image.Transpose.ROTATE_90)
    on_its_side.save(folder / "turned.jpg", exif=exif, quality=95)
    shutil.copy(folder / "plain.png", folder / "twin.png")
