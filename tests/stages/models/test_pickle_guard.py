from __future__ import annotations

import io
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from stages.models import pickle_guard
from stages.models.pickle_guard import MAX_MEMBERS, require_bounded

HEAD = b"\x80\x04"


def state() -> dict[str, object]:
    arrays = {f"layer{i}.weight": np.ones((i + 1, 2), np.float32) for i in range(20)}
    return OrderedDict(model=arrays, epoch=3, rate=0.1, name="a", more=[(1, (2, 3)), {4}, b"5"])


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol_pass_and_are_read_to_their_end(protocol) -> None:
    stream = io.BytesIO(pickle.dumps(state(), protocol=protocol) + b"rest")
    require_bounded(stream)
    assert stream.read() == b"rest"


def test_what_torch_writes_passes() -> None:
    stream = io.BytesIO()
    torch.save(torch.nn.Linear(2, 3).state_dict(), stream, _use_new_zipfile_serialization=False)
    stream.seek(0)
    for _ in range(5):
        require_bounded(stream)
    storages = 2 * (8 + 4 * 3) + 4 * 3  # lengths and values of six weights and three biases
    assert len(stream.read()) == storages


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b")" + b"\x85" * MAX_MEMBERS, "a tuple of more than"),
        (b"N" + b"\x85" * MAX_MEMBERS + b"}s", "a tuple of more than"),
        (b")" + b"2\x86" * 60, "a tuple of more than"),
        (b")" + b"q\x00h\x00\x86" * 60, "a tuple of more than"),
        (b")" + b"".join(b"\x94h%c\x86" % i for i in range(60)), "a tuple of more than"),
        (b"(" + b"N" * MAX_MEMBERS + b"t", "a tuple of more than"),
        (b"(" + b"N" * MAX_MEMBERS + b"\x91", "a tuple of more than"),
        (b"Nr\xff\xff\xff\x7f", "place 2147483647 in a memory of 2 objects"),
        (b"\x82\x01", "registered"),
        (b"\x8e" + b"\xff" * 7 + b"\x0f" + b"few", "expected|remain"),
        (b"\x8b\xff\xff\xff\x7f", "long4"),
        (b"t", "takes what is not there"),
        (b"h\x05", "takes what is not there"),
        (b"s", "takes what is not there"),
        (b"(N", "exhausted"),
        (b"\xff", "unknown"),
    ],
)
def test_what_has_no_bound_is_refused(content, message) -> None:
    if message == "a tuple of more than":
        content += b"."
    with pytest.raises(ValueError, match=message):
        require_bounded(io.BytesIO(HEAD + content))


def test_the_number_of_instructions_is_limited(monkeypatch) -> None:
    monkeypatch.setattr(pickle_guard, "MAX_INSTRUCTIONS", 100)
    require_bounded(io.BytesIO(HEAD + b"]" * 99 + b"."))
    with pytest.raises(ValueError, match="more than 100 instructions"):
        require_bounded(io.BytesIO(HEAD + b"]" * 100 + b"."))
