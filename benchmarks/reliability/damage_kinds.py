"""Kinds of files of a store, commands that read them, and what these must do about damage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.reliability.small_store import RESUMED_PARTS, RESUMED_TRAINING

_TINY: Final = ("--steps", 1, "--images-per-batch", 2, "--resize", "48x80")
Words = tuple[object, ...]


@dataclass(frozen=True)
class Kind:
    """Files of one kind, commands that read them, and what these must do.

    Attributes:
        files: Patterns in the store.
        must: refused: the command fails and names the file. named: it names the file, and may go
            on without. rebuilt: its answer does not change.
        readers: Words of commands, with {table}, {address} and {out} to be filled in.
        like: Patterns of files of equal kind, which may take their places; default: `files`.
        unfinished: Whether they belong to runs that did not finish.
    """

    files: tuple[str, ...]
    must: str
    readers: tuple[Words, ...]
    like: tuple[str, ...] = ()
    unfinished: bool = False


def _sql(table: str) -> Words:
    return ("sql", f"FROM {table}", "--format", "json")


_FEATURIZE: Final = ("featurize", "--resize", "32x48")
_SELECT_BOXES: Final = ("propose", "--select-only", "--dump", "proposals", "--regions", 3)
_VIEW: Final = ("view", "--static", "{out}")
_LABEL: Final = ("label", "--min-probability", 0.001)
_LABEL_FROM_IMAGES: Final = (*_LABEL, "--from-images", "--resize", "32x48")
_SEARCH: Final = ("search", "dog", "--templates", "plain", "--format", "json")
_EMBED: Final = ("embed-concepts", "--averaging", "openai", "--templates", "plain")
_TRAIN: Final = ("train", *_TINY)
_COCO: Final = ("export", "coco", "{out}")
_PARTS: Final = ("*/v*/part-?????.parquet",)
_MODELS: Final = ("*/v*/model.json", "*/v*/weights.safetensors")
_NETWORK: Final = ("weights.safetensors", "model.json")
KINDS: Final = {
    "images": Kind(
        ("images/v*/part-?????.parquet",),
        "refused",
        (
            _sql("images"),
            _sql("captions"),
            _FEATURIZE,
            _COCO,
            _VIEW,
            ("report", "labels", "--out", "{out}"),
        ),
    ),
    "quarantine": Kind(("*/v*/*.quarantine.parquet",), "refused", (_sql("quarantine"),), _PARTS),
    "concepts": Kind(
        ("concepts/v*/part-*.parquet",), "refused", (_sql("concepts"), _EMBED), _PARTS
    ),
    "mentions": Kind(("concepts/v*/drafts/part-*.parquet",), "refused", (_sql("mentions"), _LABEL)),
    "concept embeddings": Kind(
        ("concept_embeddings/v*/part-*.parquet", "concept_embeddings/v*/similarity.json"),
        "refused",
        (_LABEL,),
        ("*/v*/part-?????.parquet", "*/v*/model.json"),
    ),
    "curves of training": Kind(
        tuple(f"{table}/v*/part-*.parquet" for table in ("teachers", "rpns", "students")),
        "refused",
        (_sql("{table}"), _VIEW),
        _PARTS,
    ),
    "teachers": Kind(
        tuple(f"teachers/v*/{name}" for name in _NETWORK),
        "refused",
        (*(_EMBED, _FEATURIZE, _SEARCH, _TRAIN), ("export-weights", "teachers", "{out}")),
        _MODELS,
    ),
    "RPNs": Kind(
        tuple(f"rpns/v*/{name}" for name in _NETWORK),
        "refused",
        (("propose", "--regions", 4, "--resize", "48x80"),),
        _MODELS,
    ),
    "students": Kind(
        tuple(f"students/v*/{name}" for name in _NETWORK),
        "refused",
        (
            (*_FEATURIZE, "--student", "students"),
            ("evaluate", "--model", "students", "--templates", "plain", "--resize", "48x80"),
        ),
        _MODELS,
    ),
    "detectors": Kind(
        tuple(f"detectors/v*/{name}" for name in _NETWORK),
        "refused",
        (("detect", "--model", "detectors", "--resize", "48x80"),),
        _MODELS,
    ),
    "proposals": Kind(
        ("proposals/v*/part-?????.parquet",),
        "refused",
        (_sql("proposals"), _FEATURIZE, _LABEL, _TRAIN),
    ),
    "raw boxes in HDF5": Kind(("proposals/v*/part-*.h5",), "refused", (_SELECT_BOXES,)),
    "features": Kind(
        ("features/v*/part-*.parquet",),
        "refused",
        (_sql("features"), _LABEL, _SEARCH, ("export-features", "features", "{out}")),
    ),
    "indices of features": Kind(("features/v*/index-*.faiss",), "rebuilt", (_SEARCH,)),
    "pseudo-labels": Kind(
        ("pseudo_labels/v*/part-*.parquet",),
        "refused",
        (
            *(_sql("pseudo_labels"), _TRAIN, _COCO, _VIEW),
            ("what-if", "--min-probability", "0.1,0.2", "--format", "json"),
            ("select", "sure", "--where", "probability > 0.01"),
        ),
    ),
    "detections": Kind(
        ("detections/v*/part-*.parquet",),
        "refused",
        (_sql("detections"), ("export-detections", "detections", "{out}")),
        _PARTS,
    ),
    "evaluations": Kind(
        tuple(f"metrics/v*/{name}*.parquet" for name in ("part", "eval", "conf", "curv")),
        "refused",
        (_sql("{view}"),),
    ),
    "manifests": Kind(
        ("*/v*/manifest.json",),
        "named",
        (_sql("artifacts"), ("status",), ("lineage", "{address}"), _LABEL, ("gc",)),
    ),
    "lists of parts": Kind(
        ("images/v*/parts.jsonl", "proposals/v*/parts.jsonl", "concepts/v*/drafts/parts.jsonl"),
        "refused",
        (_LABEL_FROM_IMAGES, ("verify",), ("push", "{out}")),
        ("*/v*/parts.jsonl",),
    ),
    "records of recency": Kind(
        ("*/v*/recency.json",), "named", (_sql("artifacts"), ("status",), _LABEL)
    ),
    "receipts": Kind(
        ("features/v*/.receipts/*.json",), "rebuilt", (RESUMED_PARTS,), ("*/v*/.inputs",), True
    ),
    "parts of unfinished runs": Kind(
        ("features/v*/part-*.parquet",), "rebuilt", (RESUMED_PARTS,), _PARTS, True
    ),
    "checkpoints": Kind(
        ("students/v*/.scratch/*/checkpoint.pt",), "refused", (RESUMED_TRAINING,), _MODELS, True
    ),
    "inputs of unfinished runs": Kind(("*/v*/.inputs",), "named", (("gc",),), (), True),
    "errors of failed runs": Kind(
        ("*/v*/.failed",), "named", (("status",),), ("*/v*/.inputs",), True
    ),
}
