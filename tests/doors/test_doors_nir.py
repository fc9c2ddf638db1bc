"""NIR files that we write, in the frameworks that read them; and what the frameworks write."""

import nir
import numpy as np
import pytest
import torch
from journey import journey
from nir_euler import Euler
from nir_graphs import affine, events, full, written

from snndeploy import pipeline
from snndeploy.backends.nir.export import export_nir
from snndeploy.data import Binning, Data, load_data

pytestmark = pytest.mark.doors
DT, STEPS = 1e-4, 40
VERSION = "1.0.8"


def exported(tmp_path, graph, x, **said):
    """A program's file, and the spikes of its float model."""
    made = pipeline.compile(written(tmp_path, graph), calibration=Data(x, None, 1.0, "x"), dt=DT,
                            answer="all", mapping="naive", **said)  # fmt: skip
    export_nir(made, tmp_path / "out.nir")
    file = nir.read(tmp_path / "out.nir")
    spikes = np.stack([Euler(file, dt=DT, reset=said.get("reset", "hard")).run(row) for row in x])
    assert 0.02 < spikes.mean() < 0.9
    return file, spikes


def lif(n):
    shape = (n,)
    return nir.LIF(tau=full(shape, 8 * DT), r=full(shape, 9.0), v_leak=full(shape, 0.0),
                   v_threshold=full(shape, 0.6))  # fmt: skip


def two_layers():
    return nir.NIRGraph.from_list(affine(12, 6), lif(12), affine(7, 12, 1.5, 1), lif(7))


def differing(found, due):
    return float((np.asarray(found) != due).mean())


def test_norse_reads_what_we_write(tmp_path):
    from norse.torch import from_nir

    x = events(5, STEPS, 6)
    file, due = exported(tmp_path, two_layers(), x)
    module, state, found = from_nir(file, dt=DT), None, []
    with torch.no_grad():
        for step in range(STEPS):
            out, state = module(torch.as_tensor(x[:, step]), state)
            found.append(out)
    assert differing(torch.stack(found, 1), due) == 0


def test_snntorch_reads_what_we_write(tmp_path):
    from snntorch.import_nir import import_from_nir

    x = events(5, STEPS, 6)
    file, due = exported(tmp_path, two_layers(), x)
    module, state, found = import_from_nir(file), None, []
    with torch.no_grad():
        for step in range(STEPS):
            out, state = module(torch.as_tensor(x[:, step]), state)
            found.append(out)
    assert differing(torch.stack(found, 1), due) == 0


def test_sinabs_reads_what_we_write(tmp_path):
    """Integrate and fire by subtraction, within what its reader adds: a lower bound of -threshold,
    and several spikes a step; weights that need neither are chosen."""
    from sinabs.nir import from_nir

    first = nir.Affine(np.full((4, 6), 0.15, np.float32) * (1 + np.arange(4))[:, None] / 4,
                       np.zeros(4, np.float32))  # fmt: skip
    cell = nir.IF(r=full(4, 1.0), v_threshold=full(4, 1.0))
    x = events(5, STEPS, 6)
    file, due = exported(tmp_path, nir.NIRGraph.from_list(first, cell), x, reset="soft")
    with torch.no_grad():
        found = from_nir(file, batch_size=5)(torch.as_tensor(x.reshape(-1, 6)))
    found = found[0] if isinstance(found, tuple) else found
    assert differing(found.reshape(5, STEPS, 4), due) == 0


def test_what_norse_writes(tmp_path):
    import norse.torch as norse

    module = norse.SequentialState(
        torch.nn.Linear(6, 12), norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.tensor(
            250.0)), dt=DT), torch.nn.Linear(12, 3),
        norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.tensor(250.0),
                                                v_th=torch.tensor(0.1)), dt=DT),
    )  # fmt: skip
    with torch.no_grad():
        module[0].weight.mul_(60).abs_()
        module[2].weight.mul_(20).abs_()
    graph = norse.to_nir(module, torch.zeros(6), dt=1.0)  # it writes tau = dt * (1 / tau_mem_inv)
    x = events(8, STEPS, 6)
    found = journey(
        "Norse", "1.1.0", "LIFBox x 2, its NIR export", written(tmp_path, graph),
        Data(x, None, 1.0, "x"), door="nir", samples=8, timesteps=STEPS, dt=DT,
    )  # fmt: skip
    assert found.row.reached == "simulated", found.row.said
    state, spikes = None, []
    with torch.no_grad():
        for step in range(STEPS):
            out, state = module(torch.as_tensor(x[:, step]), state)
            spikes.append(out)
    due = torch.stack(spikes, 1).numpy()
    assert 0.01 < due.mean() < 0.95
    np.testing.assert_allclose(
        found.simulation.reference_logits, due.mean(axis=1), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("file", "network", "said"),
    [
        ("cnn_sinabs", "N-MNIST CNN, IF (sinabs)", {}),
        ("braille_noDelay_noBias_subtract", "braille, recurrent CubaLIF (snnTorch)",
         {"dt": DT, "reset": "soft"}),
    ],
)  # fmt: skip
def test_the_papers_files(shared_data, file, network, said):
    if file == "cnn_sinabs":
        binning = Binning(3000, 100, height=34, width=34)
        data = load_data(shared_data / "events/nmnist_200.npz", binning, 16)
    else:
        data = load_data(shared_data / "events/braille_400.npz", None, 16)
    found = journey("NIR paper", VERSION, network, str(shared_data / f"nir/{file}.nir"), data,
                    door="nir", samples=16, timesteps=data.x.shape[1], **said)  # fmt: skip
    assert found.row.reached == "simulated", found.row.said
    answers, floats = found.simulation.logits, found.simulation.reference_logits
    assert (floats.argmax(1) == data.y[:16]).mean() >= 0.9
    assert (answers.argmax(1) == floats.argmax(1)).mean() >= 0.9
