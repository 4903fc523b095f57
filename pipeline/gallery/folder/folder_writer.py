"""Writing the folder: pictures, and the answer to every query of its pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from pipeline import sql
from pipeline.gallery import model_results, page_queries
from pipeline.gallery.comparison_sides import load_side
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.folder.concept_pages import concept_pages
from pipeline.gallery.folder.neighbours import RegionNeighbours
from pipeline.gallery.folder.output_folder import OutputFolder
from pipeline.gallery.folder.threshold_grid import threshold_grid
from pipeline.gallery.pictures import LONGEST_SIDE, jpeg
from pipeline.gallery.suspicion_queries import suspicions
from pipeline.gallery.synonyms import near_synonyms
from pipeline.store import catalog
from pipeline.store.atomic import new_folder
from pipeline.store.missing import nothing_in
from schemas.errors import ArtifactNotFoundError, OptionError, SourceError
from schemas.images import IMAGES
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.pixels import load_image

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipeline.gallery.connection_pool import Row
    from pipeline.gallery.folder.neighbours import Hit
    from pipeline.progress import Reporter
    from pipeline.store.artifact import Artifact

    IndexedHit = tuple[int, int, float]  # position of the image, region, cosine

_ROWS: Final = 100  # images of one file of the list
_TIMEOUT_S: Final = 3600.0  # of one query: nobody waits for a page
_SHOWN: Final = "_shown"  # table of the images in the folder
_SAMPLE: Final = """
SELECT image_id, width, height, total FROM (
    SELECT *, count(*) OVER () AS total, row_number() OVER (ORDER BY image_id) - 1 AS position
    FROM (SELECT image_id, width, height FROM images)
)
WHERE position = 0 OR {limit} >= total
    OR position * {limit} // total > (position - 1) * {limit} // total
ORDER BY image_id
"""


@dataclass(frozen=True)
class FolderRequest:
    """What a folder shows.

    Attributes:
        use: pseudo_labels@…, images@…, or None for the newest pseudo-labels, or else images.
        limit: Maximal number of images, evenly spread over all of them.
    """

    use: str | None = None
    limit: int = 500


def write_folder(root: Path, out: Path, request: FolderRequest, reporter: Reporter) -> int:
    """Write the gallery of a store as a folder that a browser opens from disk.

    Args:
        root: The store.
        out: The folder to create.
        request: What it shows.
        reporter: Receives the progress, image by image.

    Returns:
        The number of images in the folder.

    Raises:
        OptionError: If the folder exists, or `use` is neither pseudo-labels nor images.
        ArtifactNotFoundError: If there are no such labels or images.
        ArtifactError: If an artifact that the labels were made from is missing.
    """
    address = _resolve_address(root, request.use)
    with new_folder(out) as folder, sql.connect(root, [address]) as connection:
        sample = sql.query(connection, _SAMPLE.format(limit=request.limit))
        shown = sql.batches(sample).read_all()
        connection.register(_SHOWN, shown.select(["image_id"]))
        output = OutputFolder(folder)
        output.write_pages()
        pool = ConnectionPool(root, _TIMEOUT_S)
        writer = _FolderWriter(pool, connection, output, address, shown)
        writer.write_overall_answers()
        reporter.start("view", shown.num_rows, "images")
        try:
            num_unreadable = writer.write_images(reporter)
        finally:
            reporter.stop()
    if num_unreadable:
        reporter.say(f"warning: the pixels of {num_unreadable} images could not be read")
    return int(shown.num_rows)


def _resolve_address(root: Path, use: str | None) -> str:
    """The address of the artifact that the folder shows."""
    versions = {table.name: table.version for table in (PSEUDO_LABELS, IMAGES)}
    if use is not None:
        table = use.split("@")[0].split("/")[0]
        if table not in versions:
            raise OptionError(f"rc view: --use takes pseudo_labels@… or images@…, got {use!r}")
        return _check_ancestors(catalog.find(root, use, versions[table])).address
    for table, version in versions.items():
        try:
            return _check_ancestors(catalog.find(root, table, version)).address
        except ArtifactNotFoundError:
            continue
    raise ArtifactNotFoundError(nothing_in(root))


def _check_ancestors(artifact: Artifact) -> Artifact:
    """The artifact, if the store still has the images and the concept names of its labels."""
    if artifact.manifest.artifact == PSEUDO_LABELS.name:
        for table in ("images", "concept_embeddings"):
            catalog.made_from(artifact, table)
    return artifact


class _FolderWriter:
    """Runs the queries of the pages and writes the answers.

    Args:
        pool: The store, for the queries that the server runs too.
        connection: The store, for queries over all images or concepts; has the table `_shown`.
        output: The files to write.
        address: The pseudo-labels or images to show.
        shown: image_id, width, height of the images in the folder, and the total of all.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        connection: Any,
        output: OutputFolder,
        address: str,
        shown: pa.Table,
    ) -> None:
        self._pool, self._connection, self._output = pool, connection, output
        self._address, self._parameters = address, {"labels": address}
        self._shown = shown
        self._ids: list[str] = shown.column("image_id").to_pylist()
        self._positions = {image_id: position for position, image_id in enumerate(self._ids)}
        self._concepts: dict[str, int] = {}
        self._neighbours: RegionNeighbours | None = None

    def write_overall_answers(self) -> None:
        """Write all answers that are not about a single image."""
        pool, write = self._pool, self._output.write_answer
        labelled = self._address.startswith(f"{PSEUDO_LABELS.name}/")
        write("overview", partial(self._overview, labelled=labelled))
        write("training", partial(model_results.training_curves, pool))
        rows = write("evaluations", partial(model_results.list_evaluations, pool))
        evaluations = [row["artifact"] for row in rows]
        for number, artifact in enumerate(evaluations):
            parameters = {"artifact": artifact}
            details = partial(model_results.evaluation_details, pool, parameters)
            write(f"evaluation-{number}", details)
        among = frozenset(self._ids)
        write("suspicions", partial(suspicions, pool, self._parameters, among))
        write("synonyms", partial(near_synonyms, pool, self._address))
        write("what-if", partial(threshold_grid if labelled else _no_labels, self._connection))
        rows = write(
            "concepts",
            partial(page_queries.concepts if labelled else _no_labels, pool, self._parameters),
        )
        if labelled:
            self._write_concepts([row["concept"] for row in rows])
        write("index", lambda: self._index(evaluations))

    def _overview(self, *, labelled: bool) -> dict[str, Any]:
        total = self._shown.column("total")[0].as_py() if self._ids else 0
        folder = {"images": len(self._ids), "of": total, "looked_at": self._address}
        labels = [self._address] if labelled else []
        return {**page_queries.overview(self._pool), "labels": labels, "folder": folder}

    def _index(self, evaluations: list[str]) -> dict[str, Any]:
        """What the pages need to find the other answers."""
        sizes = self._shown.select(["image_id", "width", "height"]).to_pydict()
        return {
            "images": list(zip(*sizes.values(), strict=True)),
            "rows": _ROWS,
            "splits": page_queries.splits(self._pool, self._address),
            "note": page_queries.note(self._pool, self._address),
            "concepts": list(self._concepts),
            "evaluations": evaluations,
            "regions": len(self._neighbours) if self._neighbours else 0,
        }

    def _write_concepts(self, names: list[str]) -> None:
        """Write a page for each concept, with the regions most similar to it."""
        self._concepts = {name: number for number, name in enumerate(names)}
        if catalog.ancestor(catalog.find(self._pool.root, self._address), ("features",)):
            self._neighbours = RegionNeighbours(self._connection, _SHOWN)
        for name, page in concept_pages(self._connection, names, _SHOWN):
            hits = self._neighbours.of_concept(name) if self._neighbours else []
            answer = {**page, "hits": self._indexed(hits)}
            self._output.write_answer(f"concept-{self._concepts[name]}", partial(dict, answer))

    def write_images(self, reporter: Reporter) -> int:
        """Write a page for each image, its pictures, and the list of all images.

        Returns:
            How many images could not be read.
        """
        num_unreadable = 0
        for first in range(0, len(self._ids), _ROWS):
            rows = []
            for position, image_id in enumerate(self._ids[first : first + _ROWS], first):
                answer = partial(self._image, image_id)
                page = self._output.write_answer(f"image-{position}", answer)
                rows.append(self._list_row(page))
                num_unreadable += not self._write_pictures(position, image_id)
                reporter.advance(1)
            self._output.write_answer(f"images-{first // _ROWS}", partial(list, rows))
        return num_unreadable

    def _image(self, image_id: str) -> dict[str, Any]:
        """The page of an image, with all its sides, and the regions similar to its own."""
        parameters = {**self._parameters, "id": image_id}
        answer = page_queries.image(self._pool, parameters)
        addresses = [side["of"] for side in answer["sides"]]
        sides = {of: load_side(self._pool, {**parameters, "of": of}) for of in addresses}
        return {**answer, "side": sides, "near": self._similar(image_id, answer["regions"])}

    def _similar(self, image_id: str, regions: list[Row]) -> dict[int, list[IndexedHit]]:
        """The regions most similar to each region that was compared."""
        if self._neighbours is None:
            return {}
        hits = {
            row["region"]: self._neighbours.of_region(image_id, row["region"]) for row in regions
        }
        return {region: self._indexed(near) for region, near in hits.items() if near is not None}

    def _list_row(self, page: Row) -> Row:
        """The row of an image in the list: what it shows, and the labels to filter by."""
        names = ("image_id", "width", "height", "split", "captions")
        labels = [
            (
                self._concepts[row["concept"]],
                row["probability"],
                row["margin"],
                *page_queries.whole_pixels(row),
            )
            for row in page["regions"]
            if row["kept"] and self._concepts
        ]
        return {**{name: page["image"][name] for name in names}, "labels": labels}

    def _write_pictures(self, position: int, image_id: str) -> bool:
        """Write an image, large and small; whether it could be read."""
        statement = "SELECT * FROM images WHERE image_id = ? LIMIT 1"
        (row,) = self._pool.query(statement, [image_id], self._address)
        try:
            picture = Image.fromarray(load_image(row))
        except SourceError:
            return False
        for size, side in LONGEST_SIDE.items():
            self._output.write_picture(f"{size}-{position}.jpg", jpeg(picture, side))
        return True

    def _indexed(self, hits: list[Hit]) -> list[IndexedHit]:
        """Hits with positions in place of image ids."""
        return [
            (self._positions[image_id], region, round(cosine, 6))
            for image_id, region, cosine in hits
        ]


def _no_labels(*_: Any) -> Any:
    raise ArtifactNotFoundError(page_queries.NO_LABELS)
