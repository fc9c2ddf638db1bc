"""A NIR file that cannot be done is refused in one line, with its node."""

import h5py
import nir
import numpy as np
import pytest
from nir_graphs import DT, affine, full, neuron, recurrent, written

from snndeploy.errors import DeployError
from snndeploy.frontend.door import SpecOptions
from snndeploy.frontend.doors import open_spec

pytestmark = pytest.mark.torch


def refused(spec, **said):
    with pytest.raises(DeployError) as caught:
        open_spec(str(spec), SpecOptions(**{"timesteps": 4, "dt": DT, **said}))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def chain(tmp_path):
    return written(tmp_path, nir.NIRGraph.from_list(affine(6, 5), neuron("LIF", 6)))


def edit(spec, change):
    with h5py.File(spec, "r+") as file:
        change(file["node"])
    return spec


def replace(group, name, value):
    del group[name]
    group[name] = value


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "net.nir"
    assert refused(path) == f"{path}: no such file"
    path.write_bytes(b"text")
    assert refused(path).startswith("net.nir: not a readable NIR file (OSError: ")
    with h5py.File(path, "w") as file:
        file["x"] = 1
    assert refused(path) == "net.nir: has no group 'node'; a NIR file begins with one"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda g: g["nodes/lif"].__delitem__("type"),
         "net.nir: node 'lif' has no 'type'; the writer must say which primitive it is"),
        (lambda g: replace(g["nodes/lif"], "type", "LIFF"),
         "net.nir: node 'lif' is of type 'LIFF', no primitive of NIR, did you mean 'LIF'?"),
        (lambda g: g["nodes/lif"].__delitem__("tau"),
         "net.nir: node 'lif' (LIF) cannot be made: TypeError: missing 1 required positional"
         " argument: 'tau'"),
        (lambda g: replace(g["nodes/lif"], "tau", np.full(6, np.nan)),
         "net.nir: node 'lif': field 'tau' has 6 values that are NaN or infinite"),
        (lambda g: replace(g["nodes/lif"], "tau", np.zeros(6)),
         "net.nir: node 'lif' (LIF) has tau 0; a time constant is positive"),
        (lambda g: replace(g["nodes/lif"], "tau", np.full(5, 0.1)),
         "net.nir: node 'lif' (LIF) cannot be made: AssertionError: All parameters must have the"
         " same shape"),
        (lambda g: replace(g["nodes/affine"], "weight", np.zeros((6, 4))),
         "net.nir: node 'affine' (Affine) takes 4 values and gets 5"),
        (lambda g: replace(g["nodes/affine"], "bias", np.ones(5)),
         "net.nir: node 'affine' (Affine) has a bias of shape (5,) for 6 outputs"),
        (lambda g: replace(g, "edges", np.array([["input", "gone"]], dtype="S")),
         "net.nir: the edge 'input' -> 'gone' names 'gone', which is no node of the graph"),
        (lambda g: replace(g, "edges", np.array([["input", "affine"], ["lif", "output"]],
                                                dtype="S")),
         "net.nir: node 'affine' (Affine) has no edge that leaves it, and is no Output"),
        (lambda g: g["nodes"].__delitem__("input"),
         "net.nir: the edge 'input' -> 'affine' names 'input', which is no node of the graph"),
        (lambda g: replace(g["nodes/lif"], "v_threshold", np.zeros(6)),
         "net.nir: node 'lif' (LIF) has threshold 0; it must be positive"),
        (lambda g: replace(g["nodes/lif"], "tau", np.linspace(1, 2, 6)),
         "net.nir: node 'lif' (LIF) has a time constant of its own for each neuron (6 of them from"
         " 0.999 to 0.9995); write a node for the neurons of each value"),
        (lambda g: replace(g, "edges", h5py.SoftLink("/version")),
         "net.nir: the graph 'edges' is a link out of its place; refused"),
        (lambda g: replace(g["nodes/lif"], "tau", h5py.ExternalLink("/etc/passwd", "x")),
         "net.nir: node 'lif' 'tau' is a link out of its place; refused"),
    ],
)  # fmt: skip
def test_files_that_were_changed(chain, change, said):
    assert refused(edit(chain, change)) == said


def test_a_size_that_is_only_declared(chain):
    def swollen(group):
        del group["nodes/lif/tau"]
        group["nodes/lif"].create_dataset("tau", (1 << 26,), "f8", chunks=(1 << 20,))

    assert refused(edit(chain, swollen)) == (
        "net.nir: node 'lif': field 'tau' declares 536870912 bytes, but the file stores 0"
    )


def test_a_group_that_holds_itself(chain):
    def circular(group):
        group["nodes"]["affine2"] = group

    assert refused(edit(chain, circular)).endswith("lies in more than 16 graphs")


def test_loops_that_are_not_known(tmp_path):
    back = nir.LI(tau=full(6, 0.1), r=full(6, 1.0), v_leak=full(6, 0.0))
    assert refused(written(tmp_path, recurrent(back))) == (
        "net.nir: node 'back' (LI) lies in the loop of 'cell', and remembers; linear nodes may"
    )
    graph = recurrent(neuron("LIF", 6))
    assert refused(written(tmp_path, graph)) == (
        "net.nir: the loop back -> cell has 2 spiking neurons; loops of one neuron are known,"
        " whose spikes come back to itself a step later"
    )
    graph = recurrent(affine(6, 6))
    graph.edges.append(("in", "back"))
    assert refused(written(tmp_path, graph)) == (
        "net.nir: node 'back' (Affine) lies in the loop of 'cell', and takes 'in' from outside;"
        " give that a node of its own"
    )


def test_ends(tmp_path, chain):
    graph = nir.NIRGraph.from_list(affine(6, 5), neuron("LIF", 6))
    graph.nodes["second"] = nir.Output({"output": np.array([6])})
    graph.edges.append(("lif", "second"))
    assert refused(written(tmp_path, graph)) == (
        "net.nir: has 2 Output nodes (output, second); one is needed"
    )
    li = nir.LI(tau=full(6, 0.1), r=full(6, 1.0), v_leak=full(6, 0.0))
    said = refused(written(tmp_path, nir.NIRGraph.from_list(affine(6, 5), li)))
    assert said.startswith("net.nir: no spiking neuron was recognised")


def test_a_constant_cannot_pass_a_synaptic_current_by(tmp_path):
    graph = nir.NIRGraph.from_list(affine(6, 5), neuron("CubaLIF", 6, v_leak=0.1))
    assert refused(written(tmp_path, graph), reset="soft") == (
        "net.nir: node 'cubalif' (CubaLIF) rests elsewhere than at 0, with a soft reset: a constant"
        " cannot pass its synaptic current by"
    )
