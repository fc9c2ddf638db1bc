"""NIR graphs stepped in plain numpy, node by node, as doors.md writes the equations down.

Nothing here is shared with the compiler: a graph of the `nir` package is walked from its output
back, at every step; a neuron that is met again on the way gives its spikes of the step before.
"""

import nir
import numpy as np
import torch
from torch.nn import functional


def torch_of(value):
    return torch.as_tensor(np.asarray(value), dtype=torch.float64)


def sizes(value):
    return tuple(int(size) for size in np.ravel(value))


class Euler:
    def __init__(self, graph, dt=None, reset="hard", lower_bound=None):
        self.graph, self.dt, self.reset, self.lower = graph, dt, reset, lower_bound
        self.state, self.last, self.inner = {}, {}, {}
        (self.input,) = graph.inputs
        (self.output,) = graph.outputs

    def run(self, x):
        """x: (steps, ...) of one sample."""
        return np.stack([self.step(np.asarray(row, dtype=np.float64)) for row in x])

    def step(self, x):
        self.now, self.open = {self.input: x}, set()
        found = self.value(self.output)
        for name in self.graph.nodes:  # also what no output reads has its step
            if name not in self.now:
                self.value(name)
        self.last = dict(self.now)
        return found

    def value(self, name):
        if name in self.now:
            return self.now[name]
        if name in self.open:
            return self.last.get(name, np.zeros(sizes(self.graph.nodes[name].v_threshold.shape)))
        self.open.add(name)
        sources = [source for source, target in self.graph.edges if target == name]
        x = sum(self.value(source) for source in sources)
        self.now[name] = self.computed(name, self.graph.nodes[name], x)
        return self.now[name]

    def computed(self, name, node, x):
        match type(node).__name__:
            case "Output":
                return x
            case "Linear":
                return node.weight.astype(float) @ x
            case "Affine":
                return node.weight.astype(float) @ x + node.bias
            case "Scale":
                return node.scale * x
            case "Conv1d" | "Conv2d":
                rank = node.weight.ndim - 2
                conv = (functional.conv1d, functional.conv2d)[rank - 1]
                padding = node.padding if isinstance(node.padding, str) else sizes(node.padding)
                made = conv(
                    torch_of(x)[None], torch_of(node.weight), torch_of(node.bias),
                    sizes(node.stride), padding, sizes(node.dilation), int(node.groups),
                )  # fmt: skip
                return made[0].numpy()
            case "SumPool2d" | "AvgPool2d":
                kernel = sizes(node.kernel_size)
                pooled = functional.avg_pool2d(
                    torch_of(x)[None], kernel, sizes(node.stride), sizes(node.padding)
                )[0].numpy()
                return pooled * np.prod(kernel) if isinstance(node, nir.SumPool2d) else pooled
            case "Flatten":
                return x.reshape(sizes(node.output_type["output"]))
            case "NIRGraph":
                inner = self.inner.setdefault(name, Euler(node, self.dt, self.reset, self.lower))
                return inner.step(x)
            case "Threshold":
                return (x > node.threshold).astype(float)
            case "Delay":
                waiting = self.state.setdefault(name, [np.zeros_like(x)] * self.steps(node))
                waiting.append(x)
                return waiting.pop(0)
        return self.neuron(name, node, x)

    def steps(self, node):
        return round(float(np.ravel(node.delay)[0]) / self.dt)

    def neuron(self, name, node, x):
        kind = type(node).__name__
        rest = getattr(node, "v_leak", np.zeros_like(node.r))
        v, i = self.state.get(name, (np.asarray(rest, dtype=float), np.zeros(node.r.shape)))
        if kind.startswith("Cuba"):
            i = i + self.dt / node.tau_syn * (node.w_in * x - i)
            v = v + self.dt / node.tau_mem * (rest - v + node.r * i)
        elif kind in ("LIF", "LI"):
            v = v + self.dt / node.tau * (rest - v + node.r * x)
        else:
            v = v + node.r * x
        if not hasattr(node, "v_threshold"):
            self.state[name] = v, i
            return v
        fired = v > node.v_threshold
        if self.lower is not None:
            v = np.maximum(v, self.lower)
        low = getattr(node, "v_reset", 0.0)  # releases of nir before 1.0.7 have none
        v = np.where(fired, low if self.reset == "hard" else v - node.v_threshold, v)
        self.state[name] = v, i
        return fired.astype(float)
