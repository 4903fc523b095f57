"""A cluster of Ray on this machine, with nodes that can be taken away."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTINGS = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
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
    """Nodes of a core each; the first is the head, where the driver is."""

    def __init__(self, count: int) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args=_SETTINGS)
        others = range(count - 1)
        self.others = [self._cluster.add_node(wait=False, **_SETTINGS) for _ in others]
        self._cluster.wait_for_nodes()

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add_without(self, store: Path, folder: Path) -> Any:
        """Add a node to which a store is not there; what it runs first is written in a folder."""
        (folder / "sitecustomize.py").write_text(_BLIND)
        blind = {"PYTHONPATH": f"{folder}:{ROOT}", "HIDDEN_STORE": str(store)}
        return self._cluster.add_node(**_SETTINGS, env_vars=blind)

    def remove(self, node: Any) -> None:
        """Take a node away, as a power cut does."""
        self._cluster.remove_node(node, allow_graceful=False)

    def shutdown(self) -> None:
        self._cluster.shutdown()


@contextmanager
def nodes(count: int) -> Iterator[Nodes]:
    """A cluster of so many nodes, for the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
        cluster = Nodes(count)
        try:
            yield cluster
        finally:
            import ray

            ray.shutdown()
            cluster.shutdown()
