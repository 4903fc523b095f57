"""A cluster of Ray on this machine, with nodes that can be taken away."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[4]


class Nodes:
    """Nodes with a core each, apart from the head, which has none: a driver's machine."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args=_settings(0))

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, **environment: str) -> Any:
        """Add a node; what runs on it has this environment besides."""
        return self._cluster.add_node(**_settings(1), env_vars=environment)

    def remove(self, node: Any) -> None:
        """Take a node away, as a power cut does."""
        self._cluster.remove_node(node, allow_graceful=False)

    def shutdown(self) -> None:
        self._cluster.shutdown()


def _settings(cores: int) -> dict[str, Any]:
    return {"num_cpus": cores, "object_store_memory": 80 << 20, "include_dashboard": False}


@contextmanager
def nodes(count: int) -> Iterator[Nodes]:
    """A cluster for the block, with so many nodes besides its head."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    cluster = Nodes()
    try:
        for _ in range(count):
            cluster.add()
        yield cluster
    finally:
        import ray

        ray.shutdown()
        cluster.shutdown()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
