"""Small NIR graphs that tests write."""

import nir
import numpy as np

DT = 1e-3


def rng():
    return np.random.default_rng(5)


def full(shape, value):
    return np.full(shape, value, dtype=np.float64)


def affine(outputs, inputs, scale=1.0, seed=0):
    made = np.random.default_rng(seed)
    weight = (made.standard_normal((outputs, inputs)) * scale).astype(np.float32)
    return nir.Affine(weight=weight, bias=made.standard_normal(outputs).astype(np.float32) * 0.1)


def neuron(kind, n, *, v_leak=0.0, v_reset=0.0, threshold=0.6, r=None):
    shape = (n,)
    fires = {"v_threshold": full(shape, threshold), "v_reset": full(shape, v_reset)}
    if kind == "IF":
        return nir.IF(r=full(shape, r or 1.2), **fires)
    if kind == "LIF":
        return nir.LIF(tau=full(shape, 8 * DT), r=full(shape, r or 9.0), v_leak=full(shape, v_leak),
                       **fires)  # fmt: skip
    return nir.CubaLIF(
        tau_mem=full(shape, 6 * DT), tau_syn=full(shape, 3 * DT), r=full(shape, r or 7.0),
        v_leak=full(shape, v_leak), w_in=full(shape, 2.0), **fires,
    )  # fmt: skip


def events(*shape, rate=0.4):
    return (rng().random(shape) < rate).astype(np.float32)


def written(tmp_path, graph):
    path = tmp_path / "net.nir"
    nir.write(path, graph)
    return str(path)


def recurrent(back, n=6, kind="CubaLIF"):
    nodes = {
        "input": nir.Input({"input": np.array([5])}), "in": affine(n, 5), "cell": neuron(kind, n),
        "back": back, "output": nir.Output({"output": np.array([n])}),
    }  # fmt: skip
    edges = [("input", "in"), ("in", "cell"), ("cell", "back"), ("back", "cell"),
             ("cell", "output")]  # fmt: skip
    return nir.NIRGraph(nodes, edges)
