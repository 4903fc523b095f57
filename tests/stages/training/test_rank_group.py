"""Ranks meet, or say in a sentence who did not come."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import torch
from torch import distributed

from schemas.errors import OptionError, StageError
from stages.training import rank_group
from stages.training.rank_environment import RankPlace

if TYPE_CHECKING:
    from collections.abc import Iterator

GPUS = 2  # that these tests pretend to see


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rank_group, "WAIT_S", 0.2)
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    yield
    assert not distributed.is_initialized()
    assert rank_group.current() is None


def place(rank: int, ranks: int, port: int) -> RankPlace:
    return RankPlace(rank, ranks, 0, "127.0.0.1", port)


def test_ranks_that_do_not_come_are_named(port: int) -> None:
    said = rf"^ranks 1, 2 of 3 did not come to 127\.0\.0\.1:{port} within 0 seconds: start the same"
    with pytest.raises(StageError, match=said), rank_group.joined(place(0, 3, port), "cpu"):
        pass


@pytest.mark.slow
def test_a_rank_that_finds_no_first_one_says_where_it_looked(port: int) -> None:
    said = rf"^rank 1 of 2 found no rank 0 at 127\.0\.0\.1:{port} within 0 seconds: start the same"
    with pytest.raises(StageError, match=said), rank_group.joined(place(1, 2, port), "cpu"):
        pass


def test_a_port_that_is_taken_is_one_sentence(port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        said = rf"^rank 0 cannot wait for the other ranks at 127\.0\.0\.1:{port} \(.*\): give"
        with pytest.raises(StageError, match=said), rank_group.joined(place(0, 2, port), "cpu"):
            pass


def test_what_one_tells_the_others_are_told(port: int) -> None:
    with rank_group.joined(place(0, 1, port), "cpu") as group:
        assert rank_group.current() is group
        assert distributed.get_world_size() == 1
        group.tell("plan/0", "a student")
        assert group.told("plan/0") == "a student"
        assert group.told("plan/1", 0.01) is None


def test_texts_of_one_training_are_none_of_the_next(port: int) -> None:
    with rank_group.joined(place(0, 1, port), "cpu") as group:
        group.tell("end", "done")
    with rank_group.joined(place(0, 1, port), "cpu") as group:
        assert group.told("end", 0.01) is None


def test_the_loss_of_a_rank_is_told_from_other_errors() -> None:
    lost = RuntimeError("[../gloo/transport/tcp/pair.cc:561] Connection closed by peer")
    assert rank_group.is_loss_of_rank(lost)
    assert rank_group.is_loss_of_rank(distributed.DistBackendError("NCCL error"))
    assert not rank_group.is_loss_of_rank(RuntimeError("out of memory"))
    assert not rank_group.is_loss_of_rank(StageError("the loss became nan, says gloo/"))


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: GPUS)


@pytest.mark.usefixtures("gpus")
def test_each_rank_has_a_device_of_its_own() -> None:
    rank_group.check_devices(GPUS, "auto")
    rank_group.check_devices(99, "cpu")
    with pytest.raises(OptionError, match=r"^--ranks 3 needs as many CUDA devices, and torch sees"):
        rank_group.check_devices(3, "cuda")
    with pytest.raises(OptionError, match=r"^--device cuda:1 is one device, and each rank has its"):
        rank_group.check_devices(2, "cuda:1")


@pytest.mark.usefixtures("gpus")
def test_a_local_rank_without_a_device_is_refused_before_it_waits(port: int) -> None:
    there = RankPlace(5, 8, 2, "127.0.0.1", port)
    said = r"^rank 5 takes CUDA device 2, by LOCAL_RANK, and torch sees 2 on .* set LOCAL_RANK=0$"
    with pytest.raises(OptionError, match=said), rank_group.joined(there, "cuda"):
        pass
