from __future__ import annotations

import io
import pickle
import sys
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch

from stages.models.numpy_pickle import (
    STAND_INS,
    NumpyUnpickler,
    OtherObjectsError,
    StoredArray,
    StoredDtype,
)

F4 = StoredDtype("f4", "<")


def read(content: bytes) -> Any:
    return NumpyUnpickler(io.BytesIO(content)).load()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", "<f8", "<i8", ">i2", "u1", "?"])
def test_arrays_have_the_values_they_were_written_with(protocol, dtype) -> None:
    values = (np.random.default_rng(0).normal(size=(3, 4, 5)) * 9).astype(dtype)
    columns = np.asfortranarray(values)
    content = pickle.dumps(OrderedDict(a=values, b=columns, c=values[1, 2, 3], d=7), protocol)
    read_back = read(content)
    assert read_back["d"] == 7
    native = values.dtype.newbyteorder("=")
    for name, expected in (("a", values), ("b", values), ("c", values[1, 2, 3])):
        tensor = read_back[name].tensor()
        assert tensor.numpy().dtype == native
        np.testing.assert_array_equal(tensor.numpy(), expected.astype(native))


def test_arrays_that_python_2_wrote_are_read() -> None:
    data = np.arange(3, dtype="<f4").tobytes()
    content = (
        b"\x80\x02}U\x01a" + b"cnumpy.core.multiarray\n_reconstruct\n"
        b"(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\x03\x85cnumpy\ndtype\n(U\x02f4K\x00K\x01tR"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U" + bytes([len(data)]) + data + b"tbs."
    )
    assert read(content)["a"].tensor().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (StoredArray(F4, (2,), b"1234"), ValueError, "with 4 bytes"),
        (StoredArray(F4, (1 << 62, 1 << 62), b"1234"), ValueError, "with 4 bytes"),
        (StoredArray(F4, (-1, -1), b"1234"), ValueError, "no numbers"),
        (StoredArray(F4, "a", b"1234"), ValueError, "without a shape"),
        (StoredArray(F4, (1,) * 17, b"1234"), ValueError, "without a shape"),
        (StoredArray(F4, (1,), 1 << 50), TypeError, "whose content is a int"),
        (StoredArray(F4, (1,), ["o"]), TypeError, "whose content is a list"),
        (StoredArray(StoredDtype("O8"), (1,), [print]), OtherObjectsError, "NumPy array of O8"),
        (StoredArray(StoredDtype("f4,f4"), (1,), b"12345678"), OtherObjectsError, "f4,f4"),
        (StoredArray("f4", (1,), b"1234"), OtherObjectsError, "NumPy array of str"),
    ],
)
def test_an_array_that_contradicts_itself_is_refused(array, error, message) -> None:
    with pytest.raises(error, match=message):
        array.tensor()


def test_classes_of_other_modules_are_named_and_not_imported() -> None:
    for content, name in (
        (b"\x80\x02cos\nsystem\nU\x04exitR.", r"os\.system"),
        (b"\x80\x02cantigravity\nfly\n.", r"antigravity\.fly"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", r"builtins\.eval"),
        (b"(S'exit'\nios\nsystem\n.", r"os\.system"),
    ):
        with pytest.raises(OtherObjectsError, match=name):
            read(content)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize("name", sorted(STAND_INS))
@pytest.mark.parametrize("state", [b"}U\x04makeK\x01s", b"N}U\x04makeK\x01s\x86"])
def test_a_file_cannot_change_the_functions_it_calls(name, state) -> None:
    before = STAND_INS[name].make
    content = b"\x80\x02c" + "\n".join(name).encode() + b"\n" + state + b"b."
    with pytest.raises(ValueError, match="attributes the pickle would set"):
        read(content)
    assert STAND_INS[name].make is before


def test_a_file_cannot_change_the_byte_order_of_float32() -> None:
    content = (
        b"\x80\x02cnumpy\ndtype\n(U\x02f4K\x00K\x00tR"
        b"(K\x03U\x01>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb."
    )
    assert read(content).order == ">"
    assert np.dtype("f4").isnative
    assert torch.from_numpy(np.ones(1, "f4")).item() == 1


def test_a_reference_to_something_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the file"):
        read(b"\x80\x02NQ.")
