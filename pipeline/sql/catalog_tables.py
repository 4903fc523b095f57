"""Tables about the artifacts themselves: which exist, their inputs, and the refused records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.store import parts
from pipeline.store.artifact import with_readable_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from pipeline.store.artifact import Artifact

_ARTIFACTS = pa.schema(
    [
        ("artifact", pa.string()),
        ("table", pa.string()),
        ("stage", pa.string()),
        ("rows", pa.int64()),
        ("parts", pa.int64()),
        ("bytes", pa.int64()),
        ("dropped", pa.int64()),
        ("seconds", pa.float64()),
        ("created", pa.string()),
        ("shown", pa.bool_()),
    ]
)
_LINEAGE = pa.schema([(name, pa.string()) for name in ("artifact", "role", "made_from")])
_QUARANTINE = pa.schema(
    [(name, pa.string()) for name in ("artifact", "record", "reason", "detail")]
)


def catalog_tables(
    artifacts: Sequence[Artifact], shown: Collection[Path], refusing: Iterable[Artifact]
) -> dict[str, pa.Table]:
    """The tables `artifacts`, `lineage` and `quarantine`.

    Args:
        artifacts: All artifacts of the store.
        shown: Folders of the artifacts whose rows the views show.
        refusing: Those whose refused records `quarantine` has.
    """
    rows = [
        {
            "artifact": a.address,
            "table": a.manifest.artifact,
            "stage": a.manifest.stage.name,
            "rows": a.manifest.rows,
            "parts": a.manifest.parts.count,
            "bytes": a.manifest.bytes(),
            "dropped": sum(a.manifest.dropped.values()),
            "seconds": float(a.manifest.run.get("seconds", 0.0)),
            "created": str(a.manifest.run.get("created", "")),
            "shown": a.path in shown,
        }
        for a in artifacts
    ]
    edges = [
        {"artifact": a.address, "role": role, "made_from": address}
        for a in artifacts
        for role, address in a.manifest.inputs.items()
    ]
    return {
        "artifacts": pa.Table.from_pylist(rows, _ARTIFACTS),
        "lineage": pa.Table.from_pylist(edges, _LINEAGE),
        "quarantine": _quarantine(refusing),
    }


def _quarantine(artifacts: Iterable[Artifact]) -> pa.Table:
    """The records that stages refused, each with the artifact that lacks it."""
    tables = [_QUARANTINE.empty_table()]
    for artifact in with_readable_parts(one for one in artifacts if one.manifest.dropped):
        for path in artifact.attachments("quarantine.parquet"):
            for batch in parts.batches(path):
                rows = pa.Table.from_batches([batch])
                names = pa.array([artifact.address] * len(rows), pa.string())
                tables.append(rows.add_column(0, "artifact", names).cast(_QUARANTINE))
    return pa.concat_tables(tables)
