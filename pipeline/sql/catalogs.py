"""Tables about the artifacts themselves: what is there, what it was made from, what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.store import parts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
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


def catalogs(found: Sequence[Artifact], shown: Collection[Path]) -> dict[str, pa.Table]:
    """The tables `artifacts`, `lineage` and `quarantine`.

    Args:
        found: All artifacts of the store.
        shown: Folders of those whose rows the other tables show.
    """
    artifacts = [
        {
            "artifact": a.address,
            "table": a.manifest.artifact,
            "stage": a.manifest.stage.name,
            "rows": a.manifest.rows,
            "parts": len(a.manifest.parts),
            "bytes": a.manifest.bytes(),
            "dropped": sum(a.manifest.dropped.values()),
            "seconds": float(a.manifest.run.get("seconds", 0.0)),
            "created": str(a.manifest.run.get("created", "")),
            "shown": a.path in shown,
        }
        for a in found
    ]
    edges = [
        {"artifact": a.address, "role": role, "made_from": address}
        for a in found
        for role, address in a.manifest.inputs.items()
    ]
    return {
        "artifacts": pa.Table.from_pylist(artifacts, _ARTIFACTS),
        "lineage": pa.Table.from_pylist(edges, _LINEAGE),
        "quarantine": _quarantine(found),
    }


def _quarantine(found: Sequence[Artifact]) -> pa.Table:
    """What all stages refused, with the artifact it was refused for."""
    tables = [_QUARANTINE.empty_table()]
    for artifact in found:
        for path in artifact.attachments("quarantine.parquet"):
            for batch in parts.batches(path):
                rows = pa.Table.from_batches([batch])
                names = pa.array([artifact.address] * len(rows), pa.string())
                tables.append(rows.add_column(0, "artifact", names).cast(_QUARANTINE))
    return pa.concat_tables(tables)
