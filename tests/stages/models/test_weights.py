from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from schemas.errors import SourceError
from stages.models.weights import (
    first_names,
    length,
    load_state,
    read_content,
    read_state,
    read_tensors,
    require_trained_statistics,
    write_state,
)


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))


def state() -> dict[str, torch.Tensor]:
    return {n: torch.full_like(v, 2) for n, v in network().state_dict().items()}


def refusal(changed: dict[str, torch.Tensor]) -> str:
    with pytest.raises(SourceError) as caught:
        load_state(network(), changed, "weights.pt")
    return str(caught.value)


def test_every_tensor_is_loaded() -> None:
    filled = network()
    load_state(filled, state(), "weights.pt")
    assert all((value == 2).all() for value in filled.state_dict().values())


def test_absent_batch_counters_start_at_zero() -> None:
    filled = network()
    load_state(filled, {n: v for n, v in state().items() if "num_batches" not in n}, "w")
    assert filled[1].num_batches_tracked == 0


@pytest.mark.parametrize("name", ["1.running_mean", "1.running_var"])
def test_missing_statistics_are_refused(name) -> None:
    assert "lacks batch-norm statistics" in refusal({n: v for n, v in state().items() if n != name})


def test_missing_and_unexpected_names_are_reported_together() -> None:
    changed = state()
    changed["0.wieght"] = changed.pop("0.weight")
    assert "missing 0.weight; unexpected 0.wieght" in refusal(changed)


def test_a_long_report_is_shortened() -> None:
    extra = {f"x{i}": torch.zeros(1) for i in range(9)}
    assert "unexpected x0, x1, x2 and 6 more" in refusal(state() | extra)


def test_a_shape_that_clashes_is_named() -> None:
    changed = state() | {"0.weight": torch.zeros(3, 1, 1, 1)}
    assert "0.weight is (3, 1, 1, 1), not (2, 1, 1, 1)" in refusal(changed)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(value) -> None:
    assert "NaN or infinite weights in 0.bias" in refusal(
        state() | {"0.bias": torch.full((2,), value)}
    )


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64])
def test_weights_that_are_no_floating_point_numbers_are_refused(dtype) -> None:
    message = refusal(state() | {"0.bias": torch.ones(2).to(dtype)})
    assert f"(0.bias of {str(dtype).removeprefix('torch.')}), as if quantized" in message


def test_an_axis_that_a_tensor_lacks_has_no_length() -> None:
    tensor = torch.zeros(2, 3)
    assert [length(tensor, axis) for axis in (-3, -1, 0, 1, 2)] == [0, 3, 2, 3, 0]
    assert length(torch.tensor(1.0), 0) == length(None, 0) == 0


def test_initial_statistics_are_refused_and_trained_ones_accepted() -> None:
    require_trained_statistics(state(), "w")
    require_trained_statistics({"0.weight": torch.zeros(1)}, "w")
    told = "all 1 batch norms of w have their initial statistics.*take it with .*--untrained-stat"
    with pytest.raises(SourceError, match=told):
        require_trained_statistics(network().state_dict(), "w")


def test_a_pickle_of_more_than_tensors_is_refused(tmp_path) -> None:
    torch.save({"weight": torch.zeros(1), "epochs": 3}, tmp_path / "mixed.pt")
    with pytest.raises(SourceError, match=r"holds values that are no tensors \(epochs\)"):
        read_state(tmp_path / "mixed.pt")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    with pytest.raises(SourceError, match="holds a list, not tensors by name"):
        read_state(tmp_path / "list.pt")


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.pt"])
def test_a_damaged_file_is_refused(tmp_path, name) -> None:
    path = tmp_path / name
    (save_file if name.endswith("safetensors") else torch.save)({"w": torch.zeros(999)}, path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"is not a complete safetensors|is damaged, not"):
        read_state(path)


def test_a_missing_file_is_refused(tmp_path) -> None:
    with pytest.raises(SourceError, match=r"none.pt does not exist"):
        read_state(tmp_path / "none.pt")


def test_views_and_shared_tensors_are_written_as_themselves(tmp_path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    write_state(
        {"b": base.T, "a": base, "n": torch.tensor(3)}, tmp_path / "w.safetensors", torch.float16
    )
    again = read_state(tmp_path / "w.safetensors")
    assert torch.equal(again["b"], base.T)
    assert again["a"].dtype == torch.float32
    assert again["n"].dtype == torch.int64


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_tensors_are_read_as_they_are_without_wrapper_and_prefix(tmp_path, wrapper) -> None:
    content = {"module.a": torch.ones(2).half(), "module.vocab_size": torch.tensor(7)}
    torch.save({wrapper: content, "epoch": 3}, tmp_path / "w.pt")
    tensors = read_tensors(tmp_path / "w.pt")
    assert tensors.keys() == {"a", "vocab_size"}
    assert tensors["a"].dtype == torch.float16
    state = read_state(tmp_path / "w.pt")
    assert state.keys() == {"a"}
    assert state["a"].dtype == torch.float32


def test_a_prefix_that_not_all_names_have_is_kept(tmp_path) -> None:
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "w.pt")
    assert read_tensors(tmp_path / "w.pt").keys() == {"module.a", "b"}


def test_a_file_may_hold_a_single_tensor(tmp_path) -> None:
    torch.save({"model": torch.arange(3)}, tmp_path / "w.pt")
    assert read_content(tmp_path / "w.pt").tolist() == [0, 1, 2]
    with pytest.raises(SourceError, match="holds a Tensor, not tensors by name"):
        read_tensors(tmp_path / "w.pt")


def test_the_order_of_a_state_does_not_change_the_bytes_of_its_file(tmp_path) -> None:
    for name, tensors in (("a", state()), ("b", dict(reversed(state().items())))):
        write_state(tensors, tmp_path / name, torch.float32)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_first_three_names_are_listed_and_the_others_counted() -> None:
    names = list("abcde")
    assert first_names([]) == "nothing"
    assert first_names(names[:3]) == "a, b, c"
    assert first_names(names) == "a, b, c and 2 more"


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(3).to_sparse(),
        torch.empty(3, device="meta"),
    ],
    ids=["sparse", "meta"],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_without_plain_values_are_refused(tmp_path, tensor) -> None:
    torch.save({"model": {"w": tensor}}, tmp_path / "w.pt")
    with pytest.raises(SourceError, match=r"a tensor without plain values \(w: sparse, quant"):
        read_tensors(tmp_path / "w.pt")


def test_a_few_bytes_are_not_a_network_of_many_gigabytes(tmp_path) -> None:
    torch.save({"w": torch.ones(1).expand(1 << 40)}, tmp_path / "w.pt")
    with pytest.raises(SourceError, match="its tensors would take 4,398,046,511,104 bytes"):
        read_tensors(tmp_path / "w.pt")
    torch.save({"w": torch.ones(1).expand(1000)}, tmp_path / "w.pt")
    assert read_tensors(tmp_path / "w.pt")["w"].tolist() == [1] * 1000


@pytest.mark.parametrize("name", ["\x1b[2Jevil", "a\nb", "a" * 2000])
def test_a_name_that_cannot_be_printed_is_refused(tmp_path, name) -> None:
    torch.save({name: torch.ones(1)}, tmp_path / "w.pt")
    with pytest.raises(SourceError, match="a tensor of an impossible name") as caught:
        read_tensors(tmp_path / "w.pt")
    assert str(caught.value).isprintable()


def test_an_archive_of_numpy_is_refused_with_what_to_do(tmp_path) -> None:
    path = tmp_path / "siglip.npz"
    np.savez(path, **{"params/b": np.zeros(1)})
    with pytest.raises(SourceError, match=r"as Big Vision has SigLIP.*pretrained='siglip\.npz'"):
        read_state(path)
