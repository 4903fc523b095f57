from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch

from schemas.errors import SourceError
from stages.models.pickle_files import read_pickle
from tests.stages.models import archives

if TYPE_CHECKING:
    from pathlib import Path

DAMAGED = "is damaged, not complete, or no file of weights"
OTHER = "holds objects other than tensors"
SCRIPT = "is a TorchScript archive with more than modules and tensors"
FORMS = ("new", "old", "plain", "script")


def state() -> dict[str, Any]:
    torch.manual_seed(0)
    return {"a.weight": torch.rand(3, 4), "b": torch.arange(5).half()}


def write(path: Path, form: str, content: Any) -> Path:
    if form == "plain":
        path.write_bytes(pickle.dumps(content, protocol=4))
    elif form == "script":
        archives.script(path, pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "new")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        read_pickle(path)
    message = str(caught.value)
    advice = ("weights_only", "safe_globals", "add_safe", "torch.load")
    assert not any(word in message for word in advice), message
    assert message.startswith(str(path))
    assert message.isprintable()
    return message.removeprefix(f"{path} ")


@pytest.mark.parametrize("form", ["new", "old"])
def test_both_forms_of_torch_are_read(tmp_path, form) -> None:
    content = read_pickle(write(tmp_path / "f.bin", form, {"state_dict": state(), "epoch": 3}))
    assert content["epoch"] == 3
    for name, value in state().items():
        assert torch.equal(content["state_dict"][name], value)


@pytest.mark.parametrize("form", ["new", "old", "plain"])
def test_numpys_arrays_and_numbers_become_tensors(tmp_path, form) -> None:
    array = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    content = read_pickle(
        write(tmp_path / "f", form, {"model": {"w": array}, "best": np.float64(0.5), "n": 1})
    )
    assert content["model"]["w"].numpy().tolist() == array.tolist()
    assert content["best"].item() == 0.5
    assert content["best"].dtype == torch.float64
    assert content["n"] == 1
    single = read_pickle(write(tmp_path / "g", form, array))
    assert single.numpy().tolist() == array.tolist()


class Command:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


@pytest.mark.parametrize("form", FORMS)
def test_what_would_run_is_named_and_not_run(tmp_path, form) -> None:
    ran = tmp_path / "ran"
    path = write(tmp_path / "f", form, {"w": Command(f"touch {ran}")})
    assert refusal(path).startswith(f"{SCRIPT if form == 'script' else OTHER} (posix.system)")
    assert not ran.exists()


@pytest.mark.parametrize("form", ["new", "old", "plain"])
def test_options_of_a_training_script_are_other_objects(tmp_path, form) -> None:
    from argparse import Namespace

    path = write(tmp_path / "f", form, {"model": {}, "args": Namespace(rate=1)})
    assert refusal(path).startswith(f"{OTHER} (argparse.Namespace)")


def test_names_from_a_file_print_nothing_but_text(tmp_path) -> None:
    (tmp_path / "f").write_bytes(b"\x80\x02c\x1b[2Jevil\n\x07bell\n.")
    assert r"(\x1b[2Jevil.\x07bell)" in refusal(tmp_path / "f")


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.parametrize("form", ["new", "old", "plain", "real script"])
def test_a_file_that_ends_early_is_damaged(tmp_path, form) -> None:
    if form == "real script":
        program = torch.jit.script(torch.nn.Linear(2, 3))
        path = archives.write(tmp_path / "f", archives.saved(program))
    else:
        arrays = {name: value.numpy() for name, value in state().items()}
        path = write(tmp_path / "f", form, arrays if form == "plain" else state())
    whole = path.read_bytes()
    for share in (0, 0.01, 0.3, 0.6, 0.9, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        assert refusal(path).startswith(DAMAGED), share


def nested(depth: int) -> bytes:
    return b"\x80\x02})" + b"\x85" * depth + b"K\x01s."


@pytest.mark.parametrize("form", FORMS)
def test_a_key_nested_a_million_deep_does_not_end_the_process(tmp_path, form) -> None:
    path = tmp_path / "f"
    deep = nested(900_000)
    if form == "plain":
        path.write_bytes(deep)
    elif form == "old":
        torch.save(state(), path, _use_new_zipfile_serialization=False)
        content = path.read_bytes()
        start = content.index(b"a.weight")
        path.write_bytes(content[: content.rindex(b"\x80\x02", 0, start)] + deep)
    else:
        records = {"data.pkl": deep} | ({"constants.pkl": b""} if form == "script" else {})
        archives.write(path, records)
    assert refusal(path).startswith(f"{DAMAGED} (a tuple of more than")


@pytest.mark.slow
def test_lists_may_be_nested_deeply(tmp_path) -> None:
    depth = 50_000
    (tmp_path / "f").write_bytes(b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b".")
    assert isinstance(read_pickle(tmp_path / "f"), list)


def test_an_archive_that_would_be_longer_than_its_file_is_refused(tmp_path) -> None:
    records = {"data.pkl": pickle.dumps({}, 2), "data/0": bytes(10_000_000)}
    path = archives.write(tmp_path / "f", records, ZIP_DEFLATED)
    assert "its records would be longer than the file" in refusal(path)


def test_an_archive_with_two_records_of_one_name_is_refused(tmp_path) -> None:
    with ZipFile(tmp_path / "f", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}, 2))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a/data.pkl", pickle.dumps({}, 2))
    assert "two records of one name" in refusal(tmp_path / "f")


def test_an_archive_of_something_else_is_refused(tmp_path) -> None:
    path = archives.write(tmp_path / "f", {"readme.txt": b"hello"})
    assert "an archive without data.pkl" in refusal(path)


def test_numbers_that_would_take_all_memory_are_refused(tmp_path) -> None:
    size = (1 << 60).to_bytes(8, "little")
    (tmp_path / "bytes").write_bytes(b"\x80\x04\x8e" + size + b"few.")
    (tmp_path / "place").write_bytes(b"\x80\x02Nr\xff\xff\xff\x7f.")
    module = archives.module({"w": archives.tensor("0", 0, (1 << 40,), (0,))})
    archives.script(tmp_path / "script", b"\x80\x02" + module + b".", _0=bytes(8))
    for name in ("bytes", "place", "script"):
        assert refusal(tmp_path / name).startswith(DAMAGED)


def test_a_text_file_and_an_empty_one_are_no_weights(tmp_path) -> None:
    (tmp_path / "page.pt").write_text("<!DOCTYPE html>\x1b[31m<html>not found</html>")
    (tmp_path / "empty.pt").write_bytes(b"")
    assert refusal(tmp_path / "page.pt").startswith(DAMAGED)
    assert refusal(tmp_path / "empty.pt").startswith(DAMAGED)


def test_a_folder_is_not_damaged(tmp_path) -> None:
    assert refusal(tmp_path) == "cannot be read (Is a directory)"


def test_records_count_wherever_the_word_code_is_in_their_name(tmp_path) -> None:
    pickled = archives.module({"w": archives.tensor("x/code/0", 0, (2, 2), (2, 1))})
    records = {"data.pkl": b"\x80\x02" + pickled + b".", "constants.pkl": b"\x80\x02)."}
    records["data/x/code/0"] = bytes(1 << 20)
    path = archives.write(tmp_path / "bomb.pt", records, ZIP_DEFLATED)
    assert "its records would be longer than the file" in refusal(path)


def test_records_whose_names_torch_takes_for_one_are_refused(tmp_path) -> None:
    torch.save(state(), tmp_path / "f.pt")
    with ZipFile(tmp_path / "f.pt", "a") as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/data.pkl"))
        archive.writestr(name.upper(), b"another")
    assert "two records of one name" in refusal(tmp_path / "f.pt")
