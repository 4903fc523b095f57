"""The stages by verb, in the order data meets them; nothing is imported until a verb is used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.base import Stage


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a stage is, and its one line of help (the first line of the class's docstring)."""

    name: str
    help: str

    def load(self) -> type[Stage]:
        """The stage's class."""
        word = self.name.replace("-", "_")
        module = import_module(f"stages.{word}")
        stage: type[Stage] = getattr(module, word.title().replace("_", ""))
        return stage


VERBS = {
    verb.name: verb
    for verb in (
        Verb("ingest", "Read images with their captions and ground truth."),
        Verb(
            "extract-concepts",
            "Find the concept pool in captions, or the mentions of a given pool.",
        ),
        Verb("pretrain", "Train a teacher on whole images and captions, or import one."),
        Verb(
            "import-weights",
            "Import a teacher, student, RPN, detector or concept embeddings from a published file.",
        ),
        Verb("embed-concepts", "Embed every concept in the space of the teacher's features."),
        Verb(
            "train-rpn",
            "Train a class-agnostic region proposal network on ground truth, or import one.",
        ),
        Verb(
            "propose",
            "Find boxes that may hold something: by a network, another localizer, or chance.",
        ),
        Verb("featurize", "Embed every proposal, and the whole image, with a teacher or student."),
        Verb("label", "Give every region its most probable concepts under the teacher."),
        Verb("select", "Keep the pseudo-labels for which a SQL condition holds, under a name."),
        Verb("train", "Train a student on regions and their pseudo-labels."),
        Verb(
            "finetune",
            "Train a detector of named categories on ground truth, from a student, teacher or "
            "detector.",
        ),
        Verb(
            "detect",
            "Find things of any names in images, with a detector, student or teacher.",
        ),
        Verb(
            "evaluate",
            "Measure recognition by a teacher, student or detector against ground truth.",
        ),
    )
}
