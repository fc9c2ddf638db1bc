"""The integers of a chip network once more, from the reference papers alone: plain numpy, int64.

Written from the published fixed-point LIF (current, membrane, strict threshold) and from the
equation of a programmable neuron; it takes dicts of arrays and numbers and shares no line with the
compiler.

    populations = [{"name", "shape", "kind", "bias" (C, H, W), "depth", "width", registers ...}]
    projections = [{"source", "target", "form", "weight", "exponent", "late" (C, H, W), ...}]
    injections = [{"target", "mode", "exponent", "values"}]

Everything is on the time of the model: step t of a target sees step t of a source that stands
before it, and step t - 1 of itself or of one behind it, each `late` steps later.
"""

from __future__ import annotations

import numpy as np

ONE = 4096
LARGEST = 2**23 - 1


def toward_zero(value, keep):
    """sign(v) (|v| keep >> 12)."""
    product = np.abs(value) * keep
    return np.where(value < 0, -(product >> 12), product >> 12)


def wrapped(value):
    """Into (-2^23, 2^23]."""
    value = np.where(value > 2**23, value - 2**24 * ((value + 2**23 - 1) // 2**24), value)
    return np.where(value <= -(2**23), value + 2**24 * ((2**23 - value) // 2**24), value)


def shifted(value, exponent):
    return value * 2**exponent if exponent >= 0 else value // 2**-exponent


def convolved(projection, sent):
    """Cross-correlation with zeros around, tap by tap: (samples, C, H, W)."""
    weight, groups = projection["weight"].astype(np.int64), projection["groups"]
    (high, wide), (top, left) = projection["stride"], projection["padding"]
    dilation = projection["dilation"]
    padded = np.pad(sent, ((0, 0), (0, 0), (top, top), (left, left)))
    outputs, inputs, rows, columns = weight.shape
    height = (padded.shape[2] - dilation[0] * (rows - 1) - 1) // high + 1
    width = (padded.shape[3] - dilation[1] * (columns - 1) - 1) // wide + 1
    total = np.zeros((len(sent), outputs, height, width), dtype=np.int64)
    for group in range(groups):
        out = slice(group * outputs // groups, (group + 1) * outputs // groups)
        read = padded[:, group * inputs : (group + 1) * inputs]
        for y in range(rows):
            for x in range(columns):
                at = read[
                    :, :, y * dilation[0] : y * dilation[0] + high * (height - 1) + 1 : high,
                    x * dilation[1] : x * dilation[1] + wide * (width - 1) + 1 : wide,
                ]  # fmt: skip
                total[:, out] += np.einsum("oi,nihw->nohw", weight[out, :, y, x], at)
    return total


def dense(projection, sent):
    """All to all, over windows of the source's plane."""
    weight = projection["weight"].astype(np.int64)
    _, channels, rows, columns = weight.shape
    high, wide = projection["pool"]
    cut = sent[:, :, : rows * high, : columns * wide]
    pooled = cut.reshape(len(sent), channels, rows, high, columns, wide).sum((3, 5))
    found = np.einsum("oihw,nihw->no", weight, pooled)
    return found[:, :, None, None]


class Model:
    def __init__(self, timesteps, populations, projections, injections, samples):
        self.timesteps, self.samples = timesteps, samples
        self.populations, self.projections, self.injections = populations, projections, injections
        self.sent = {p["name"]: [] for p in populations}
        self.membranes = {p["name"]: [] for p in populations}
        self.state = {p["name"]: self.rest(p) for p in populations}
        self.counts = {p["name"]: {"input": 0, "wrap": 0, "saturation": 0} for p in populations}
        self.order = {p["name"]: place for place, p in enumerate(populations)}

    def rest(self, p):
        zero = np.zeros((self.samples, *p["shape"]), dtype=np.int64)
        return {"u": zero, "v": zero + p.get("initial", 0), "waiting": zero}

    def run(self):
        for step in range(self.timesteps):
            for p in self.populations:
                spikes = self.input(p, step) if p["kind"] == "input" else self.step(p, step)
                self.sent[p["name"]].append(spikes)
        return self

    def input(self, p, step):
        (found,) = [i for i in self.injections if i["target"] == p["name"]]
        return found["values"][:, step].astype(np.int64)

    def arriving(self, projection, step):
        """Of every source neuron, what it sent `late` steps ago."""
        back = self.order[projection["source"]] >= self.order[projection["target"]]
        late = projection["late"] + (1 if back else 0)
        sent = self.sent[projection["source"]]
        shape = (self.samples, *late.shape)
        found = np.zeros(shape, dtype=np.int64)
        for delay in np.unique(late):
            if step >= delay:
                found = np.where(late == delay, sent[step - delay], found)
        return found

    def step(self, p, step):
        a = np.zeros((self.samples, *p["shape"]), dtype=np.int64)
        bias = np.broadcast_to(p["bias"], a.shape).astype(np.int64)
        for projection in self.projections:
            if projection["target"] == p["name"]:
                form = convolved if projection["form"] == "conv" else dense
                sums = form(projection, self.arriving(projection, step))
                a = a + shifted(sums, projection["exponent"])
        for injection in self.injections:
            if injection["target"] == p["name"]:
                value = injection["values"].astype(np.int64)
                if injection["mode"] == "bias":
                    bias = bias + shifted(value, injection["exponent"])
                else:
                    a = a + shifted(value[:, step], injection["exponent"])
        counts, state = self.counts[p["name"]], self.state[p["name"]]
        current = toward_zero(state["u"], ONE - p["current_decay"]) + 64 * a
        u = wrapped(current)
        counts["input"] += int((np.abs(a) >= 2 ** (p["width"] - 1)).sum())
        counts["wrap"] += int((u != current).sum())
        spikes, new = getattr(self, p["kind"])(p, state, u + bias, counts)
        self.state[p["name"]] = new | {"u": u}
        self.membranes[p["name"]].append(new["v"])
        return spikes

    def saturated(self, value, counts):
        held = np.minimum(np.maximum(value, -LARGEST), LARGEST)
        counts["saturation"] += int((held != value).sum())
        return held

    def lif(self, p, state, arrived, counts):
        """v = sat(rz(v (4096 - dv), 12) + u + b); s = v > 64 vth, strict."""
        total = toward_zero(state["v"], ONE - p["membrane_decay"]) + arrived
        v = self.saturated(total, counts)
        s = v > 64 * p["threshold"]
        after = v - 64 * p["reset_amount"] if p["reset"] == "soft" else np.zeros_like(v)
        return s.astype(np.int64), state | {"v": np.where(s, after, v)}

    def integrator(self, p, state, arrived, counts):
        total = toward_zero(state["v"], ONE - p["membrane_decay"]) + arrived
        v = self.saturated(total, counts)
        return np.zeros_like(v), state | {"v": v}

    def programmed(self, p, state, arrived, counts):
        """U = H + I; S; max(U, bound); leak and reset; then no spike for a while."""
        h, waits = state["v"], state["waiting"] > 0
        u = self.saturated(h + arrived, counts)
        drops = waits if p["refractory_input"] == "dropped" else np.zeros_like(waits)
        s, rest = np.zeros_like(u), u - p["threshold"]
        for _ in range(p["most_spikes"]):  # one above the threshold, one more an amount further
            s = s + (rest > 0)
            rest = rest - p["amount"]
        s = np.where(waits, 0, s)
        keep = ONE - p["membrane_decay"]
        v = np.maximum(u, p["lower_bound"])
        if p["reset"] == "hard":
            after = np.where(s > 0, p["reset_value"], toward_zero(v, keep))
        elif p["reset"] == "soft":
            after = toward_zero(v - p["amount"] * s, keep)
        elif p["reset"] == "soft_after":
            after = toward_zero(v, keep) - p["amount"] * s
        else:
            after = toward_zero(v, keep)
        waiting = np.where(s > 0, p["refractory"], np.maximum(state["waiting"] - 1, 0))
        return s, {"v": np.where(drops, h, after), "waiting": waiting}
