"""Data that Python holds: arrays, tensors, torch datasets and loaders."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from snndeploy.data import Data, load_data
from snndeploy.errors import DataError

pytestmark = pytest.mark.torch
X = np.arange(24, dtype=np.float32).reshape(6, 4)
Y = np.array([0, 1, 2, 0, 1, 2])


def refused(source):
    with pytest.raises(DataError) as caught:
        load_data(source)
    return str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        (X, Y), (torch.as_tensor(X).requires_grad_(), torch.as_tensor(Y)),
        TensorDataset(torch.as_tensor(X), torch.as_tensor(Y)),
        DataLoader(TensorDataset(torch.as_tensor(X), torch.as_tensor(Y)), batch_size=4),
        [(x, y) for x, y in zip(X, Y, strict=True)],
        Data(X, Y, 1.0, "x"),
    ],
    ids=["arrays", "tensors", "dataset", "loader", "list", "data"],
)  # fmt: skip
def test_inputs_and_labels(source):
    data = load_data(source)
    np.testing.assert_array_equal(data.inputs(), X)
    assert data.y.tolist() == Y.tolist()
    assert load_data(source, most=2).y.tolist() == [0, 1]


@pytest.mark.parametrize(
    "source",
    [X, torch.as_tensor(X), DataLoader(torch.as_tensor(X), batch_size=4)],
    ids=["array", "tensor", "loader"],
)
def test_inputs_alone(source):
    data = load_data(source)
    np.testing.assert_array_equal(data.x, X)
    assert data.y is None


def test_no_more_of_a_loader_is_taken_than_is_needed():
    taken = []

    class Counted(torch.utils.data.Dataset):
        def __len__(self):
            return 1000

        def __getitem__(self, index):
            taken.append(index)
            return torch.full((3,), index), index % 2

    data = load_data(DataLoader(Counted(), batch_size=8), most=20)
    assert data.x[:, 0].tolist() == list(range(20)) and len(taken) == 24


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (3, "a int is no data; give a file, a folder of recordings, an array, (inputs, labels), a"
            " torch Dataset or DataLoader"),
        ([], "list gives no samples"),
        ([(X[0], 1, 2)], "list gives 3 values a sample; inputs and labels are due"),
        ([(X[0], 1), (X[0][:2], 1)], "list gives samples of different shapes"),
        ([(X[0], 1), X[0]], "list gives labels for some samples and none for others"),
        (np.array([["a"]]), "values of type <U1 are no numbers"),
        ((X, Y[:2]), "tuple: y has shape (2,) and type int64; an integer class or a target for each"
                     " of the 6 samples is needed"),
    ],
)  # fmt: skip
def test_what_is_no_data(source, said):
    assert refused(source) == said


def test_the_signal_of_values():
    for x, kind in ((X > 4, "binary"), (X, "integer"), (X / 2, "real")):
        assert load_data(np.asarray(x)).signal == kind
    assert Data(np.uint8([[0, 255]]), None, 1 / 255, "bytes").signal == "binary"
    assert Data(np.uint8([[0, 17]]), None, 1 / 255, "bytes").signal == "real"


def test_compile_calibrates_on_a_loader(made, tmp_path):
    """`made` was calibrated on the file that holds the same samples."""
    from snndeploy import pipeline, program

    data = load_data(made / "data.npz")
    again = pipeline.compile(
        f"{made}/tiny_model.py:net()", made / "net.safetensors",
        calibration=DataLoader(TensorDataset(torch.as_tensor(data.inputs())), batch_size=4),
    )  # fmt: skip
    program.save(again, tmp_path / "again.snnp")
    assert (tmp_path / "again.snnp").read_bytes() == (made / "net.snnp").read_bytes()
