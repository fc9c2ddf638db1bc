"""What it costs to hold weights in two parts."""

from __future__ import annotations

from collections.abc import Sequence

from snndeploy.lower.real_network import RealPopulation
from snndeploy.quantize.kernels import Kernel, Mantissas
from snndeploy.quantize.scales import Scale, Scales


def said_parts(
    population: RealPopulation,
    kernels: Sequence[Kernel],
    found: Sequence[Mantissas],
    error: float,
    scale: Scale,
    scales: Scales,
) -> str:
    """Weights of the low parts, a byte each, and what their synapses do at calibration's rates."""
    low = {id(k.connection): k.connection.weight.size for k in kernels}
    operations = 0.0
    for kernel in kernels:
        source = scales.populations[kernel.source]
        every_step = source.kind == "relay" or not source.node
        rate = 1.0 if every_step else scales.calibration.rate(source.node)
        operations += kernel.connection.synapses(source.shape) * rate * scales.real.timesteps
    exponents = (" and ".join(str(part.exponent) for part in one.parts) for one in found)
    return (
        f"weights take two projections (exponents {', '.join(exponents)}): an error of"
        f" {error:.2%} instead of {scale.single_error:.2%}, for {sum(low.values()):,} more bytes of"
        f" weights and {operations:,.0f} more synaptic operations a sample; --weights single does"
        " without"
    )
