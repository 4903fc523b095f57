"""The stages by verb, in the order data meets them; nothing is imported until a verb is used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.base import Stage


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a stage is, and its one line of help (the first line of the class's docstring).

    Attributes:
        name: As typed after `rc`; one of several that share their first word, such as "audit draw".
        help: Of at most 57 characters, so that it fits on a line of `rc --help`.
        makes: The table that nobody else makes, if there is one.
        also: A further table, and the options with which the verb makes it, if there is one.
        own_command: Whether its command is written, and not made from its options.
    """

    name: str
    help: str
    makes: str = ""
    own_command: bool = False
    also: tuple[str, str] | None = None

    @property
    def word(self) -> str:
        """Its name as that of a module."""
        return re.sub("[ -]", "_", self.name)

    def load(self) -> type[Stage]:
        """The stage's class."""
        module = import_module(f"stages.{self.word}")
        stage: type[Stage] = getattr(module, self.word.title().replace("_", ""))
        return stage


VERBS = {
    verb.name: verb
    for verb in (
        Verb("ingest", "Read images with their captions and ground truth.", "images"),
        Verb(
            "duplicates",
            "Find images that show what images of another set show.",
            "duplicates",
            own_command=True,
        ),
        Verb(
            "extract-concepts",
            "Find the concepts in captions, or those of a given pool.",
            "concepts",
        ),
        Verb("pretrain", "Train a teacher on images and captions, or import one.", "teachers"),
        Verb("import-weights", "Import a model, or embeddings, from a published file."),
        Verb(
            "embed-concepts",
            "Embed every concept in the space of the teacher.",
            "concept_embeddings",
        ),
        Verb("train-rpn", "Train a region proposal network, or import one.", "rpns"),
        Verb("propose", "Find boxes that may hold something.", "proposals"),
        Verb("featurize", "Embed every proposal, and the whole image.", "features"),
        Verb(
            "label",
            "Give every region its most probable concepts.",
            "pseudo_labels",
            also=("presence", "--absent 16"),
        ),
        Verb("suspect", "Score pseudo-labels by how likely each is at fault.", "suspicions"),
        Verb(
            "map-regions",
            "Lay regions out in a plane, similar ones near each other.",
            "region_maps",
        ),
        Verb("select", "Keep pseudo-labels by a SQL condition, under a name."),
        Verb("audit draw", "Draw pseudo-labels at random, to be judged.", "audits"),
        Verb("audit close", "Make an artifact of what was judged.", "reviews", own_command=True),
        Verb(
            "import-reviews", "Import what people mended in an exported folder.", own_command=True
        ),
        Verb("train", "Train a student on pseudo-labels of regions, or crops.", "students"),
        Verb("finetune", "Train a detector of named categories on ground truth.", "detectors"),
        Verb("detect", "Find things of any names in images.", "detections"),
        Verb("evaluate", "Measure recognition against ground truth.", "metrics"),
    )
}

GROUPS = {"audit": "Judge some pseudo-labels, to know how right all are."}  # of verbs of two words


def maker(table: str) -> str:
    """The verb that makes a table, with the options it needs; empty if it is none of ours.

    >>> maker("pseudo_labels"), maker("presence"), maker("nothing")
    ('label', 'label --absent 16', '')
    """
    verbs = VERBS.values()
    makers = [verb.name for verb in verbs if verb.makes == table]
    makers += [f"{v.name} {v.also[1]}" for v in verbs if v.also and v.also[0] == table]
    return next(iter(makers), "")
