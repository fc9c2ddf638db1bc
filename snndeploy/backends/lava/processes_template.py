"""The three Lava processes that Lava itself does not have.

Lava's compiler imports every module of this folder when it looks for their models: no module here
may do anything when it is imported.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from neuron_program import at_rest, step  # type: ignore[import-not-found]


class FileSink(AbstractProcess):
    """Writes what arrives into row (step - 1) of a .npy file: Var.get() takes 31 us a number."""

    def __init__(self, shape: tuple[int, ...], path: str) -> None:
        super().__init__(shape=shape, path=path)
        self.a_in = InPort(shape=shape)


@implements(proc=FileSink, protocol=LoihiProtocol)
@requires(CPU)
class PyFileSink(PyLoihiProcessModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows = np.lib.format.open_memmap(proc_params["path"], mode="r+")

    def run_spk(self) -> None:
        self.rows[self.time_step - 1] = self.a_in.recv()


class ShiftedRelay(AbstractProcess):
    """payload = a >> shift, without memory; Lava's GradedVec forwards the sum unshifted."""

    def __init__(self, shape: tuple[int, ...], shift: int) -> None:
        super().__init__(shape=shape, shift=shift)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)


@implements(proc=ShiftedRelay, protocol=LoihiProtocol)
@requires(CPU)
class PyShiftedRelay(PyLoihiProcessModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        self.s_out.send(self.a_in.recv() >> self.proc_params["shift"])


class NeuronProgram(AbstractProcess):
    """Neurons with the registers and the arithmetic of `neuron_program.py`.

    A model for Lava's simulation: a chip needs a microcode program, and Lava ships none for it.
    They are reset right before Lava step `first`, and every `period` steps from there; they send
    in the `timesteps` steps behind a reset only, and at rest before the first.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        registers: dict[str, Any],
        bias_mant: np.ndarray | int,
        bias_exp: int,
        first: int,
        period: int,
        timesteps: int,
    ) -> None:
        super().__init__(
            shape=shape,
            registers=registers,
            bias_exp=bias_exp,
            first=first,
            period=period,
            timesteps=timesteps,
        )
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.bias_mant = Var(shape=shape, init=bias_mant)


@implements(proc=NeuronProgram, protocol=LoihiProtocol)
@requires(CPU)
class PyNeuronProgram(PyLoihiProcessModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    bias_mant: np.ndarray = LavaPyType(np.ndarray, np.int16)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.registers = proc_params["registers"]
        self.state = at_rest(self.registers, proc_params["shape"])

    def run_spk(self) -> None:
        a = self.a_in.recv().astype(np.int64)
        since = self.time_step - self.proc_params["first"]
        if since >= 0 and since % self.proc_params["period"] == 0:
            self.state = at_rest(self.registers, self.proc_params["shape"])
        bias = self.bias_mant.astype(np.int64) << self.proc_params["bias_exp"]
        self.state, spikes = step(self.registers, self.state, a, bias)
        sends = since >= 0 and since % self.proc_params["period"] < self.proc_params["timesteps"]
        self.s_out.send(spikes.astype(np.int32) if sends else np.zeros_like(spikes, np.int32))
