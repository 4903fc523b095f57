"""A cluster of Ray on this machine, with nodes that can be taken away."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[4]
# What a node runs first of all, if it is one that has no store: it sees nothing of it.
_BLIND = """
import builtins, io, os
store, opened, looked = os.environ["HIDDEN_STORE"], io.open, os.stat
def without(do):
    def done(path, *rest, **more):
        if str(path).startswith(store):
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return do(path, *rest, **more)
    return done
io.open = builtins.open = without(opened)
os.stat = without(looked)
"""


class Nodes:
    """Nodes of a core each, besides a head without any: the machine of the driver."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args=_settings(0))
        self.workers: list[Any] = []

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, **environment: str) -> Any:
        """Add a node; what runs on it has this environment besides."""
        self.workers.append(self._cluster.add_node(**_settings(1), env_vars=environment))
        return self.workers[-1]

    def add_without(self, store: Path, folder: Path) -> Any:
        """Add a node to which a store is not there; its start is written in a folder."""
        (folder / "sitecustomize.py").write_text(_BLIND)
        return self.add(PYTHONPATH=f"{folder}:{ROOT}", HIDDEN_STORE=str(store))

    def remove(self, node: Any) -> None:
        """Take a node away, as a power cut does."""
        self.workers.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def shutdown(self) -> None:
        self._cluster.shutdown()


def _settings(cores: int) -> dict[str, Any]:
    return {"num_cpus": cores, "object_store_memory": 80 << 20, "include_dashboard": False}


@contextmanager
def nodes(count: int) -> Iterator[Nodes]:
    """A cluster for the block, with so many nodes besides its head."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
        cluster = Nodes()
        try:
            for _ in range(count):
                cluster.add()
            yield cluster
        finally:
            import ray

            ray.shutdown()
            cluster.shutdown()
