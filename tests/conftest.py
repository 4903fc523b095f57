"""What all tests share: threads that do not spin, and one of them; an S3 server where asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.s3_server import S3Server

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def one_core_for_training() -> Iterator[None]:
    """Training asks for two threads; beside other tests these would wait for each other."""
    from stages.models import device

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "set_operation_threads", lambda threads: device.set_threads(None))
        yield


@pytest.fixture(scope="session")
def running_s3() -> Iterator[S3Server]:
    from tests.s3_server import S3Server

    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def s3(running_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """An empty bucket, and the environment that leads to it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in running_s3.environment.items():
        monkeypatch.setenv(name, value)
    running_s3.reset()
    return running_s3


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.folder


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
