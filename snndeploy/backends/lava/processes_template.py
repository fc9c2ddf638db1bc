"""The two Lava processes that Lava itself does not have.

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
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


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
