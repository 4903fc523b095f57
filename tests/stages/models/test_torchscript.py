from __future__ import annotations

from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import torch

from stages.models.clip_import import import_clip
from stages.models.numpy_pickle import OtherObjectsError
from stages.models.torchscript import read_script_tensors
from stages.models.weights import read_tensors
from tests.stages.models import archives, foreign, tiny

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]

PROTOCOL = b"\x80\x02"


def read(path: Path) -> dict[str, torch.Tensor]:
    with ZipFile(path) as archive:
        return read_script_tensors(archive, "a")


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2, 3)
        self.norm = torch.nn.BatchNorm1d(3)
        self.gain = torch.nn.Parameter(torch.rand(3).half())
        self.register_buffer("counts", torch.arange(6).reshape(2, 3).T)
        self.register_buffer("shared", self.counts[1:])
        self.blocks = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
        self.strides = [1, 2]
        self.flags, self.rates = [True], [0.5]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        scale = float(self.strides[0]) + self.rates[0] if self.flags[0] else 1.0
        return self.norm(self.linear(pixels)) * self.gain.float() * scale + self.blocks(pixels)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["trace", "script"])
def test_the_tensors_are_those_of_the_loaded_program(tmp_path, how) -> None:
    torch.manual_seed(0)
    net, example = Net().eval(), torch.rand(2, 2)
    program = torch.jit.trace(net, example) if how == "trace" else torch.jit.script(net)
    torch.jit.save(program, tmp_path / "net.pt")
    expected = torch.jit.load(tmp_path / "net.pt").state_dict()
    actual = read_tensors(tmp_path / "net.pt")
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert actual[name].dtype == value.dtype
        assert torch.equal(actual[name], value), name


def openai_program(folder: Path) -> torch.jit.ScriptModule:
    """A tiny CLIP in half precision with the scalars that OpenAI's archives have."""
    network = tiny.tiny_clip(folder).network
    for name, value in (("input_resolution", 64), ("context_length", 16), ("vocab_size", 49408)):
        if hasattr(network, name):
            delattr(network, name)
        network.register_buffer(name, torch.tensor(value))
    inputs = torch.rand(1, 3, 64, 64), torch.zeros(1, 16, dtype=torch.int64)
    program: torch.jit.ScriptModule = torch.jit.trace(network, inputs, check_trace=False)
    return program.half()


@pytest.mark.slow
def test_openais_archive_is_imported_as_its_tensors_are(tmp_path) -> None:
    program = openai_program(tmp_path)
    torch.jit.save(program, tmp_path / "program.pt")
    torch.save(program.state_dict(), tmp_path / "state.pt")
    config = foreign.architecture(tmp_path)
    clips = [import_clip(tmp_path / f"{n}.pt", "teacher", config) for n in ("program", "state")]
    (clip, report), (other, expected) = clips
    assert (report.layout, report.used) == (expected.layout, expected.used) == ("OpenAI", ANY_USED)
    assert clip.spec.config["quick_gelu"] is True
    for name, value in other.network.state_dict().items():
        assert torch.equal(clip.network.state_dict()[name], value), name


class _Any:
    def __eq__(self, other: object) -> bool:
        return bool(other)

    __hash__ = None  # type: ignore[assignment]


ANY_USED = _Any()


def test_the_code_of_an_archive_is_not_read(tmp_path) -> None:
    records = archives.saved(torch.jit.script(torch.nn.Linear(2, 3)))
    broken = {n: b"this is no program" if n.startswith("code/") else v for n, v in records.items()}
    assert broken != records
    path = archives.write(tmp_path / "net.pt", broken)
    with pytest.raises(RuntimeError):
        torch.jit.load(path)
    assert read(path).keys() == {"weight", "bias"}


def four(key: str = "0", offset: int = 0, size: tuple[int, ...] = (2, 2), steps=(2, 1)) -> bytes:
    return PROTOCOL + archives.module({"w": archives.tensor(key, offset, size, steps)}) + b"."


def test_a_tensor_may_begin_inside_a_storage_and_go_by_columns(tmp_path) -> None:
    data = torch.arange(6.0).numpy().tobytes()
    path = archives.script(tmp_path / "f.pt", four(offset=2, steps=(1, 2)), _0=data)
    assert read(path)["w"].tolist() == [[2, 4], [3, 5]]


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (four(offset=3), "in a storage of 6 elements"),
        (four(size=(1 << 60, 1 << 20)), "in a storage of 6 elements"),
        (four(size=(1 << 60, 1), steps=(0, 0)), "in a storage of 6 elements"),
        (four(offset=-1), "no numbers"),
        (four(size=(2, -2)), "no numbers"),
        (four(size=(2,)), "more sides than steps"),
        (four(key="../data.pkl"), "no item named"),
        (four(key="7"), "no item named"),
        (PROTOCOL + b"U\x01a.", "a str that is no module"),
        (PROTOCOL + b"cos\nsystem\nU\x04exit\x85R.", r"os\.system"),
        (PROTOCOL + b"c__torch__\nNet\n}U\x01aK\x01sb.", "missing|argument"),
        (PROTOCOL + b"c__torch__\nNet\n)\x81.", "attributes"),
        (PROTOCOL + b"c__torch__\nNet\n)\x81K\x01b.", "a module without attributes"),
        (PROTOCOL + b"c__torch__\nNet\n)\x81q\x00}U\x01ah\x00sb.", "more modules inside"),
        (PROTOCOL + b"U\x01aQ.", "."),
    ],
)
def test_an_archive_that_contradicts_itself_is_refused(tmp_path, pickled, message) -> None:
    path = archives.script(tmp_path / "f.pt", pickled, _0=bytes(24))
    with pytest.raises(
        (OtherObjectsError, ValueError, TypeError, KeyError, AttributeError), match=message
    ):
        read(path)


def test_another_byte_order_is_refused(tmp_path) -> None:
    records = archives.saved(torch.jit.script(torch.nn.Linear(2, 3))) | {"byteorder": b"big"}
    path = archives.write(tmp_path / "net.pt", records)
    with pytest.raises(ValueError, match="another byte order"):
        read(path)


def test_a_module_that_many_hold_is_not_followed_forever(tmp_path) -> None:
    pickled = PROTOCOL + archives.module({}) + b"q\x000"
    for number in range(1, 60):  # each holds the one before twice: 2 ** 59 ways to the first
        inner = b"h" + bytes([number - 1])
        pickled += archives.module({"a": inner, "b": inner}) + b"q" + bytes([number]) + b"0"
    path = archives.script(tmp_path / "f.pt", pickled + b"h" + bytes([59]) + b".")
    with pytest.raises(ValueError, match="more modules inside each other"):
        read(path)
