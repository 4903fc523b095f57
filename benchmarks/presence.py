"""How often is a concept that is called absent absent, and one that is called unmet there?

    python -m benchmarks.presence --store STORE
    python -m benchmarks.presence --store FOLDER --photographs ../shared/data

Ground truth answers for the concepts that are names of its categories; others are not judged. The
first is about a store with features, such as that of `rc demo`; the second labels photographs of
COCO by a detector first (`benchmarks.detector_labels`), whose five most probable names of each
region are known; all others count as 0. The rule is that of `rc label --absent`. Beside what it
lists stand all concepts that it calls absent, all that captions do not mention, and of these as
many as it lists, the most probable ones: what one would take for hard negatives without a rule.

Shapes: R regions of an image, C concepts.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from benchmarks.detector_labels import NO_DETECTOR, can_label, label_photographs
from pipeline import sql
from stages.labelling.label_similarity import LabelSimilarity
from stages.labelling.near_synonyms import centred
from stages.labelling.presence import BestRegions, PresenceRule, best_regions, find_presence
from stages.synthetic.categories import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

WAYS: Final = (
    *("listed", "absent", "not mentioned", "likeliest not mentioned", "unmet", "mentioned"),
)
_CATEGORY: Final = {name: c.name for c in CATEGORIES for name in (c.name, *c.synonyms)}


@dataclass(frozen=True)
class JudgedImage:
    """An image as far as it is judged.

    Attributes:
        best: What its regions say of each concept.
        mentioned: (C,) what its captions mention.
        there: (C,) whether an object of the concept's category is there.
    """

    best: BestRegions
    mentioned: torch.Tensor
    there: NDArray[np.bool_]


@dataclass
class Shares:
    """Of each way to take concepts, how many were judged, and how many of them are there."""

    judged: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    there: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))

    def add(self, way: str, concepts: NDArray[np.int64], there: NDArray[np.bool_]) -> None:
        """Count the concepts of an image, of which (C,) some are there."""
        self.judged[way] += len(concepts)
        self.there[way] += int(there[concepts].sum())

    def right(self, way: str) -> float:
        """Share that is what it is called: there if it is mentioned, else not."""
        share = self.there[way] / max(self.judged[way], 1)
        return share if way in ("unmet", "mentioned") else 1 - share


def judge(
    images: Iterable[JudgedImage],
    vectors: torch.Tensor,
    known: NDArray[np.bool_],
    rule: PresenceRule,
) -> Shares:
    """What ground truth says of some images; those whose captions mention nothing are left out.

    Args:
        images: Of one pool.
        vectors: (C, D) `centred` embeddings.
        known: (C,) concepts that ground truth knows.
        rule: As of the stage.
    """
    shares = Shares()
    everything = PresenceRule(len(vectors), rule.pass_above, rule.absent_up_to)
    for image in images:
        if not image.mentioned.any():
            continue
        found = find_presence(image.best, image.mentioned, vectors, everything)
        mentioned = image.mentioned.numpy()
        chances = np.where(mentioned, -1, image.best.probabilities.numpy())
        likeliest = np.argsort(-chances, kind="stable")[: int((~mentioned).sum())]
        taken = {
            "listed": found.absent.numpy()[: rule.count],
            "absent": found.absent.numpy(),
            "not mentioned": np.flatnonzero(~mentioned),
            "likeliest not mentioned": likeliest[: rule.count],
            "unmet": found.unmet.numpy(),
            "mentioned": np.flatnonzero(mentioned),
        }
        for way, concepts in taken.items():
            shares.add(way, concepts[known[concepts]], image.there)
    return shares


def table(found: Sequence[tuple[float, Shares]]) -> str:
    """Markdown: a row for each `--absent-up-to`, per cent right and how many were judged."""
    lines = [f"| up to | {' | '.join(WAYS)} |", "|---|" + "---|" * len(WAYS)]
    for up_to, shares in found:
        cells = [f"{100 * shares.right(way):.2f} of {shares.judged[way]:,}" for way in WAYS]
        lines.append(f"| {up_to:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Pool:
    """The concepts: names, ids, unit embeddings (C, D) in float32, and which are categories."""

    names: list[str]
    ids: list[int]
    embeddings: NDArray[np.float32]
    known: NDArray[np.bool_]


def read(store: Path, prefer: list[str], temperature: float | None) -> tuple[Pool, list[Any]]:
    """The pool and the judged images of a store.

    Args:
        store: With ground truth, mentions, and features or labels.
        prefer: Artifacts that are named.
        temperature: Of a softmax over cosines of features; None: probabilities are the labels'.
    """
    with sql.connect(store, prefer) as connection:

        def rows(statement: str) -> Any:
            return sql.batches(sql.query(connection, statement)).read_all()

        concepts = rows(
            "SELECT concept_id, concept, embedding FROM concept_embeddings ORDER BY concept_id"
        )
        mentions = rows("SELECT DISTINCT image_id, concept FROM mentions").to_pylist()
        objects = rows("SELECT DISTINCT image_id, category FROM objects").to_pylist()
        regions = (
            "SELECT image_id, top_ids, top_probabilities FROM pseudo_labels"
            if temperature is None
            else "SELECT image_id, feature FROM features WHERE region >= 0"
        )
        found = rows(f"{regions} ORDER BY image_id, region")
    names = concepts["concept"].to_pylist()
    categories = {row["category"] for row in objects}
    of_concept = [_CATEGORY.get(name, name) for name in names]
    known = np.array([category in categories for category in of_concept])
    pool = Pool(names, concepts["concept_id"].to_pylist(), _units(concepts["embedding"]), known)
    mentioned, there = (
        _by_image((row["image_id"], row[column]) for row in some)
        for some, column in ((mentions, "concept"), (objects, "category"))
    )
    images = []
    for image, best in _best(found, pool, temperature):
        flags = torch.tensor([name in mentioned[image] for name in names])
        truth = np.array([category in there[image] for category in of_concept])
        images.append(JudgedImage(best, flags, truth))
    return pool, images


def _best(rows: Any, pool: Pool, temperature: float | None) -> Iterator[tuple[str, BestRegions]]:
    ids = np.array(rows["image_id"].to_pylist())
    place = {concept: n for n, concept in enumerate(pool.ids)}
    starts = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
    features = None if temperature is None else torch.from_numpy(_units(rows["feature"]))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(ids)], strict=True):
        if features is not None and temperature is not None:
            scale = LabelSimilarity(temperature, None, given=True)
            embeddings = torch.from_numpy(pool.embeddings)
            yield str(ids[start]), best_regions(features[start:end], embeddings, scale, 256)
            continue
        chances = np.zeros(len(place), np.float32)
        some = rows.slice(start, end - start).to_pylist()
        for row in some:
            for concept, chance in zip(row["top_ids"], row["top_probabilities"], strict=True):
                chances[place[concept]] = max(chances[place[concept]], chance)
        values = torch.from_numpy(chances)
        yield str(ids[start]), BestRegions(values, torch.zeros(len(place)).long(), values)


def _units(column: Any) -> NDArray[np.float32]:
    matrix = np.array(column.to_pylist(), np.float32)
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))


def _by_image(pairs: Iterable[tuple[str, str]]) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for image, name in pairs:
        found[image].add(name)
    return found


def main(words: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="or a folder, for photographs")
    parser.add_argument("--photographs", type=Path, help="data of which labels are made first")
    parser.add_argument("--temperature", type=float, default=0.01)
    parser.add_argument("--absent", type=int, nargs="+", default=[5, 16], help="listed of an image")
    parser.add_argument("--up-to", type=float, nargs="+", default=[0.001, 0.01, 0.03, 0.1])
    parser.add_argument("--min-probability", type=float, default=0.1)
    arguments = parser.parse_args(words)
    root, prefer, temperature = arguments.store, list[str](), arguments.temperature
    if arguments.photographs:
        if not can_label(arguments.photographs):
            parser.error(f"no photographs can be labelled, {NO_DETECTOR}")
        store, suspicions = label_photographs(arguments.store, arguments.photographs)
        root, temperature = store.root, None
        prefer = [suspicions.manifest.inputs["pseudo_labels"]]
    pool, images = read(root, prefer, temperature)
    vectors = torch.from_numpy(centred(pool.embeddings))
    silent = sum(not bool(image.mentioned.any()) for image in images)
    print(
        f"{len(images):,} images, {silent:,} without a mention; {int(pool.known.sum()):,} of "
        f"{len(pool.names):,} concepts are categories\n"
    )
    for count in arguments.absent:
        rules = {
            up_to: PresenceRule(count, arguments.min_probability, up_to)
            for up_to in arguments.up_to
        }
        found = [(up_to, judge(images, vectors, pool.known, rule)) for up_to, rule in rules.items()]
        print(f"{count} listed of each image\n\n{table(found)}", end="\n\n", flush=True)


if __name__ == "__main__":
    main()
