"""Runs this bundle on Lava and compares every spike with the expected ones.

    python3.10 run.py --config sim              Lava's fixed-point simulation of Loihi 2
    python3.10 run.py --config hardware         a Loihi 2 board (needs Intel's Lava extension)

Exit code: 0 all equal, 1 something differs (the first difference is named) or Lava failed, 3 no
Loihi here, or no way of this network onto one.

Arrays are in the order (channel, y, x), as in PyTorch; Lava wants (x, y, channel).  Time: the host
has Lava step 1 for itself (`LEAD`), so chip step k is Lava step k + 1.  A population at depth d
does aligned step tau of the sample at position s in chip step s * period + tau + d + 1, and is
reset right before the first of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.graded.process import GradedVec
from lava.proc.io.dataloader import StateDataloader
from lava.proc.io.sink import Read
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.sparse.process import DelaySparse, Sparse
from processes import FileSink, NeuronProgram, ShiftedRelay  # type: ignore[import-not-found]
from scipy.sparse import csr_matrix, identity
from support import LEAD, Chip, main  # type: ignore[import-not-found]

LONGEST_DELAY = 63  # Loihi 2 stores a synapse's delay in 6 bits
NEVER_FIRES = {"sim": 131072, "hardware": 131071}  # 131071 is the largest 17-bit threshold
NO_CURRENT_MEMORY = 4095  # du has a hidden + 1


# --- one function per population kind -----------------------------------------------------------


def lif(chip: Chip, population: dict) -> AbstractProcess:
    """A spiking population, or an integrator, which is one that never fires."""
    fires = population["kind"] == "lif"
    neuron = LIFReset(
        shape=lava_shape(population["shape"]),
        du=population["current_decay"] - 1,
        dv=population["membrane_decay"],
        vth=population["threshold"] if fires else NEVER_FIRES[chip.config],
        **first_bias(chip, population),
        reset_interval=chip.period,
        reset_offset=chip.first_step(population["depth"]) % chip.period,
    )
    load_bias(chip, population, neuron)
    read_membrane(chip, population, neuron)
    return neuron


def programmed(chip: Chip, population: dict) -> AbstractProcess:
    neuron = NeuronProgram(
        shape=lava_shape(population["shape"]),
        registers=population["registers"],
        **first_bias(chip, population),
        first=chip.first_step(population["depth"]),
        period=chip.period,
        timesteps=chip.timesteps,
    )
    load_bias(chip, population, neuron)
    return neuron


def first_bias(chip: Chip, population: dict) -> dict:
    """The bias that a population starts with: its own, or until its own is loaded."""
    bias = population["bias"]
    if not bias:
        return {"bias_mant": 0, "bias_exp": 0}
    mantissa = bias["before"] if bias["loaded"] else lava_order(chip.array(bias["array"]))
    return {"bias_mant": mantissa, "bias_exp": bias["exponent"]}


def load_bias(chip: Chip, population: dict, neuron: AbstractProcess) -> None:
    """The host writes each sample's bias right before the population's first step of the sample."""
    if not population["bias"] or not population["bias"]["loaded"]:
        return
    bias = chip.array(population["bias"]["array"])
    rows = [lava_order(bias[sample] if bias.ndim == 4 else bias) for sample in chip.samples]
    loader = StateDataloader(
        dataset=[(row.astype(np.int32), 0) for row in rows],
        interval=chip.period,
        offset=(population["depth"] + LEAD - 1) % chip.period,
    )
    loader.connect_var(neuron.bias_mant)


def read_membrane(chip: Chip, population: dict, neuron: AbstractProcess) -> None:
    """Keep v after the steps of every sample that are read of it."""
    for step in chip.steps_read(population["name"]):
        behind = (population["depth"] + step + 1) % chip.period
        reader = Read(buffer=len(chip.samples) + 1, interval=chip.period, offset=behind)
        reader.connect_var(neuron.v)
        chip.readers[population["name"], step] = reader


def relay(chip: Chip, population: dict) -> AbstractProcess:
    """Forwards its input's sum as a graded spike, in the same step."""
    shape = lava_shape(population["shape"])
    if population["payload_shift"]:
        return ShiftedRelay(shape=shape, shift=population["payload_shift"])
    return GradedVec(shape=shape, vth=0)


def host_input(chip: Chip, population: dict) -> AbstractProcess:
    values = chip.array(population["input"])
    return RingBuffer(data=stream(chip, values, population["depth"]))


POPULATIONS = {
    "lif": lif,
    "integrator": lif,
    "programmed": programmed,
    "relay": relay,
    "input": host_input,
}


# --- one function per projection kind -----------------------------------------------------------


def conv(chip: Chip, projection: dict) -> None:
    """Lava's Conv is a true convolution, without exponent and without delay."""
    source = delayed(chip, projection["source"], projection["delay"])
    weight = chip.array(projection["weight"]).astype(np.int32) << projection["exponent"]
    synapses = Conv(
        weight=weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1).copy(),
        input_shape=source.shape,
        stride=tuple(projection["stride"][::-1]),
        padding=tuple(projection["padding"][::-1]),
        dilation=tuple(projection["dilation"][::-1]),
        groups=projection["groups"],
        num_message_bits=projection["message_bits"],
    )
    source.connect(synapses.s_in)
    synapses.a_out.connect(chip.neurons[projection["target"]].a_in)


def dense(chip: Chip, projection: dict) -> None:
    """Delays are stored in the synapses; what does not fit there, in a delayed copy."""
    delays = np.zeros(chip.neurons[projection["source"]].s_out.shape, dtype=int)
    if projection["axonal_delay"]:
        delays += lava_order(chip.array(projection["axonal_delay"]))
    in_synapse = min(projection["delay"], LONGEST_DELAY - int(delays.max()))
    source = delayed(chip, projection["source"], projection["delay"] - in_synapse)
    delays = (delays + in_synapse).ravel()
    target = chip.neurons[projection["target"]]
    weight = expanded(chip.array(projection["weight"]), projection["pool"], source.shape)
    options = {
        "weights": weight,
        "weight_exp": projection["exponent"],
        "num_message_bits": projection["message_bits"],
    }
    if delays.any():
        synapses = DelayDense(delays=np.broadcast_to(delays, weight.shape).copy(), **options)
    else:
        synapses = Dense(**options)
    source.flatten().connect(synapses.s_in)
    synapses.a_out.reshape(target.a_in.shape).connect(target.a_in)


def expanded(weight: np.ndarray, pool: list[int], source: tuple[int, ...]) -> np.ndarray:
    """Weights of a pooled dense layer for every source neuron, columns in Lava's order."""
    each = weight.astype(np.int32).repeat(pool[0], axis=2).repeat(pool[1], axis=3)
    full = np.zeros((len(weight), *source[::-1]), dtype=np.int32)
    full[:, :, : each.shape[2], : each.shape[3]] = each
    return full.transpose(0, 3, 2, 1).reshape(len(weight), -1)


PROJECTIONS = {"conv": conv, "dense": dense}


def delayed(chip: Chip, name: str, delay: int) -> OutPort:
    """A population's output `delay` steps later: a copy of it behind delayed synapses."""
    if delay == 0:
        return chip.neurons[name].s_out
    if (name, delay) not in chip.copies:
        in_synapse = min(delay - 1, LONGEST_DELAY)
        source = delayed(chip, name, delay - 1 - in_synapse)
        chip.copies[name, delay] = copy(source, chip.manifest["message_bits"][name], in_synapse)
    return chip.copies[name, delay]


def copy(source: OutPort, message_bits: int, delay: int) -> OutPort:
    """A population that repeats the source's spikes `delay` + 1 steps later."""
    if message_bits:
        neuron = GradedVec(shape=source.shape, vth=0)
    else:
        neuron = LIF(shape=source.shape, du=NO_CURRENT_MEMORY, dv=0, vth=0)
    one_to_one(source, neuron, 0, message_bits, delay)
    return neuron.s_out


def one_to_one(
    source: OutPort, neuron: AbstractProcess, exponent: int, message_bits: int, delay: int = 0
) -> None:
    weights = identity(int(np.prod(source.shape)), dtype=np.int32, format="csr")
    options = {"weights": weights, "weight_exp": exponent, "num_message_bits": message_bits}
    if delay:
        synapses = DelaySparse(delays=csr_matrix(weights * delay, dtype=int), **options)
    else:
        synapses = Sparse(**options)
    source.flatten().connect(synapses.s_in)
    synapses.a_out.reshape(source.shape).connect(neuron.a_in)


def graded_injection(chip: Chip, injection: dict) -> None:
    """Host values, sent one step early since their synapse takes one."""
    values = chip.array(injection["array"])
    source = RingBuffer(data=stream(chip, values, injection["depth"] - 1))
    target = chip.neurons[injection["target"]]
    one_to_one(source.s_out, target, injection["exponent"], injection["message_bits"])


# --- layout and time ----------------------------------------------------------------------------


def lava_shape(shape: list[int]) -> tuple[int, ...]:
    return tuple(shape[::-1])


def lava_order(array: np.ndarray) -> np.ndarray:
    """(channel, y, x) -> (x, y, channel); a leading time axis becomes the last one."""
    return np.ascontiguousarray(array.T)


def stream(chip: Chip, values: np.ndarray, depth: int) -> np.ndarray:
    """(samples, T, C, H, W) -> (W, H, C, Lava steps), silent outside the samples' windows."""
    data = np.zeros((*values.shape[:1:-1], chip.steps), dtype=np.int32)
    for position, sample in enumerate(chip.samples):
        first = chip.first_row(position, depth)
        data[..., first : first + chip.timesteps] = lava_order(values[sample])
    return data


# --- build --------------------------------------------------------------------------------------


def build(chip: Chip) -> None:
    for population in chip.manifest["populations"]:
        chip.neurons[population["name"]] = POPULATIONS[population["kind"]](chip, population)
    for projection in chip.manifest["projections"]:
        PROJECTIONS[projection["kind"]](chip, projection)
    for injection in chip.manifest["injections"]:
        graded_injection(chip, injection)
    for name in chip.manifest["expected"]:
        port, path = chip.neurons[name].s_out, chip.recording(name)
        kind = np.int32 if chip.manifest["message_bits"][name] else np.int8
        np.lib.format.open_memmap(path, "w+", dtype=kind, shape=(chip.steps, *port.shape))
        port.connect(FileSink(shape=port.shape, path=str(path)).a_in)


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent, build))
