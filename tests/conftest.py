"""What all tests share: threads that do not spin, and one of them."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_THREAD_LIMIT", "1")  # also where a stage asks for more


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with a reason, what needs a device or a network that is not here."""
    for item in items:
        if item.get_closest_marker("gpu") and not _cuda():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
        if item.get_closest_marker("network") and "RC_TEST_NETWORK" not in os.environ:
            item.add_marker(pytest.mark.skip(reason="downloads weights; set RC_TEST_NETWORK=1"))


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()
