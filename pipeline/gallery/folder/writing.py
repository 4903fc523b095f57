"""Writing the folder: pictures, and the answer to every question its pages can ask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from pipeline import sql
from pipeline.gallery import models, questions
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.folder.concepts import concept_pages
from pipeline.gallery.folder.draft import Draft
from pipeline.gallery.folder.likeness import Likeness
from pipeline.gallery.folder.thresholds import grid
from pipeline.gallery.media import SIDES, jpeg
from pipeline.gallery.sides import side
from pipeline.gallery.synonyms import synonyms
from pipeline.store import catalog
from pipeline.store.atomic import new_folder
from schemas.errors import ArtifactNotFoundError, OptionError, SourceError
from schemas.images import IMAGES
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.pixels import load_image

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipeline.gallery.connection_pool import Row
    from pipeline.gallery.folder.likeness import Hit
    from pipeline.progress import Reporter
    from pipeline.store.artifact import Artifact

_ROWS: Final = 100  # images of a piece of the list
_SECONDS: Final = 3600.0  # one answer may take: nobody waits before a page
_SHOWN: Final = "_shown"  # table of the images in the folder
_SPREAD: Final = """
SELECT image_id, width, height, total FROM (
    SELECT *, count(*) OVER () AS total, row_number() OVER (ORDER BY image_id) - 1 AS place
    FROM (SELECT image_id, width, height FROM images)
) WHERE place = 0 OR {limit} >= total OR place * {limit} // total > (place - 1) * {limit} // total
ORDER BY image_id
"""


@dataclass(frozen=True)
class FolderRequest:
    """What a folder shows.

    Attributes:
        use: pseudo_labels@…, images@…, or None for the newest pseudo-labels, else images.
        limit: Images at most, evenly spread over all of them.
    """

    use: str | None = None
    limit: int = 500


def write_folder(root: Path, out: Path, wanted: FolderRequest, reporter: Reporter) -> int:
    """Write the gallery of a store as a folder that a browser opens from disk; how many images.

    Args:
        root: The store.
        out: Folder to make.
        wanted: What it shows.
        reporter: Told of each image.

    Raises:
        OptionError: If the folder exists, or `use` is neither pseudo-labels nor images.
        ArtifactNotFoundError: If there are no such labels or images.
        ArtifactError: If what the labels were made from is gone.
    """
    address = _address(root, wanted.use)
    with new_folder(out) as folder, sql.connect(root, [address]) as connection:
        asked = sql.query(connection, _SPREAD.format(limit=wanted.limit))
        shown = sql.batches(asked).read_all()
        connection.register(_SHOWN, shown.select(["image_id"]))
        draft = Draft(folder)
        draft.pages()
        writing = _Writing(ConnectionPool(root, _SECONDS), connection, draft, address, shown)
        writing.about_all()
        reporter.start("view", shown.num_rows, "images")
        try:
            unread = writing.about_images(reporter)
        finally:
            reporter.stop()
    if unread:
        reporter.say(f"warning: the pixels of {unread} images could not be read")
    return int(shown.num_rows)


def _address(root: Path, use: str | None) -> str:
    """The artifact that is looked at."""
    tables = {table.name: table.version for table in (PSEUDO_LABELS, IMAGES)}
    if use is not None:
        table = use.split("@")[0].split("/")[0]
        if table not in tables:
            raise OptionError(f"rc view: --use takes pseudo_labels@… or images@…, got {use!r}")
        return _whole(catalog.find(root, use, tables[table])).address
    for table, version in tables.items():
        try:
            return _whole(catalog.find(root, table, version)).address
        except ArtifactNotFoundError:
            continue
    raise ArtifactNotFoundError(f"nothing is in {root} yet; begin with 'rc ingest'")


def _whole(artifact: Artifact) -> Artifact:
    """The artifact, if what its pages need is there: images, and the names of its labels."""
    if artifact.manifest.artifact == PSEUDO_LABELS.name:
        for table in ("images", "concept_embeddings"):
            catalog.made_from(artifact, table)
    return artifact


class _Writing:
    """Asks what the pages ask, and writes what is answered.

    Args:
        shelf: The store, one question at a time.
        connection: The store, many questions in one; has the table `_shown`.
        draft: Where to.
        address: Pseudo-labels or images that are looked at.
        shown: image_id, width, height of the images in the folder, and the total of all.
    """

    def __init__(
        self,
        connections: ConnectionPool,
        connection: Any,
        draft: Draft,
        address: str,
        shown: pa.Table,
    ) -> None:
        self._pool, self._connection, self._draft = connections, connection, draft
        self._address, self._asked = address, {"labels": address}
        self._shown = shown
        self._ids: list[str] = shown.column("image_id").to_pylist()
        self._place = {image_id: place for place, image_id in enumerate(self._ids)}
        self._concepts: dict[str, int] = {}
        self._like: Likeness | None = None

    def about_all(self) -> None:
        """All that is about no single image."""
        connections, put = self._pool, self._draft.put
        labelled = self._address.startswith(f"{PSEUDO_LABELS.name}/")
        put("overview", partial(self._overview, labelled=labelled))
        put("training", partial(models.training, connections))
        judged = [
            row["artifact"] for row in put("evaluations", partial(models.evaluations, connections))
        ]
        for place, artifact in enumerate(judged):
            asked = {"artifact": artifact}
            put(f"evaluation-{place}", partial(models.evaluation, connections, asked))
        put("synonyms", partial(synonyms, connections, self._address))
        put("what-if", partial(grid if labelled else _no_labels, self._connection))
        rows = put(
            "concepts",
            partial(questions.concepts if labelled else _no_labels, connections, self._asked),
        )
        if labelled:
            self._about_concepts([row["concept"] for row in rows])
        put("index", lambda: self._index(judged))

    def _overview(self, *, labelled: bool) -> dict[str, Any]:
        total = self._shown.column("total")[0].as_py() if self._ids else 0
        folder = {"images": len(self._ids), "of": total, "looked_at": self._address}
        labels = [self._address] if labelled else []
        return {**questions.overview(self._pool), "labels": labels, "folder": folder}

    def _index(self, judged: list[str]) -> dict[str, Any]:
        """What finds the other answers."""
        sizes = self._shown.select(["image_id", "width", "height"]).to_pydict()
        return {
            "images": list(zip(*sizes.values(), strict=True)),
            "rows": _ROWS,
            "splits": questions.splits(self._pool, self._address),
            "concepts": list(self._concepts),
            "evaluations": judged,
            "regions": len(self._like) if self._like else 0,
        }

    def _about_concepts(self, names: list[str]) -> None:
        """A page for each concept, and the regions most like it."""
        self._concepts = {name: place for place, name in enumerate(names)}
        if catalog.ancestor(catalog.find(self._pool.root, self._address), ("features",)):
            self._like = Likeness(self._connection, _SHOWN)
        for name, page in concept_pages(self._connection, names, _SHOWN):
            hits = self._like.of_concept(name) if self._like else []
            found = {**page, "hits": self._hits(hits)}
            self._draft.put(f"concept-{self._concepts[name]}", partial(dict, found))

    def about_images(self, reporter: Reporter) -> int:
        """A page for each image, its pixels, and the list of all; how many could not be read."""
        unread = 0
        for first in range(0, len(self._ids), _ROWS):
            rows = []
            for place, image_id in enumerate(self._ids[first : first + _ROWS], first):
                page = self._draft.put(f"image-{place}", partial(self._image, image_id))
                rows.append(self._listed(page))
                unread += not self._pixels(place, image_id)
                reporter.advance(1)
            self._draft.put(f"images-{first // _ROWS}", partial(list, rows))
        return unread

    def _image(self, image_id: str) -> dict[str, Any]:
        """What the page of an image asks, its sides, and the regions like its own."""
        asked = {**self._asked, "id": image_id}
        answer = questions.image(self._pool, asked)
        sides = {one["of"]: side(self._pool, {**asked, "of": one["of"]}) for one in answer["sides"]}
        return {**answer, "side": sides, "near": self._near(image_id, answer["regions"])}

    def _near(self, image_id: str, regions: list[Row]) -> dict[int, list[tuple[int, int, float]]]:
        """What is like each region that was compared."""
        if self._like is None:
            return {}
        hits = {row["region"]: self._like.of_region(image_id, row["region"]) for row in regions}
        return {region: self._hits(found) for region, found in hits.items() if found is not None}

    def _listed(self, page: Row) -> Row:
        """What the list of images shows of one, and what it can be chosen by."""
        names = ("image_id", "width", "height", "split", "captions")
        labels = [
            (self._concepts[row["concept"]], row["probability"], row["margin"])
            for row in page["regions"]
            if row["kept"] and self._concepts
        ]
        return {**{name: page["image"][name] for name in names}, "labels": labels}

    def _pixels(self, place: int, image_id: str) -> bool:
        """Write an image, large and small; whether it could be read."""
        asked = "SELECT * FROM images WHERE image_id = ? LIMIT 1"
        (row,) = self._pool.ask(asked, [image_id], self._address)
        try:
            picture = Image.fromarray(load_image(row))
        except SourceError:
            return False
        for kind, most in SIDES.items():
            self._draft.picture(f"{kind}-{place}.jpg", jpeg(picture, most))
        return True

    def _hits(self, hits: list[Hit]) -> list[tuple[int, int, float]]:
        return [(self._place[image], region, round(cosine, 6)) for image, region, cosine in hits]


def _no_labels(*_: Any) -> Any:
    raise ArtifactNotFoundError(questions.NO_LABELS)
