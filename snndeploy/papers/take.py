"""What rows take of a network's costs (`Costed`) or of two networks (`Comparison`)."""

from __future__ import annotations

from collections.abc import Callable

from snndeploy.costs.comparison import Comparison, Costed

SAMPLES = 100  # MA-S Tables S8 and S9 count the spikes of so many samples (contradiction C15)


def neurons(costed: Costed) -> float:
    return costed.network.neuron_count


def convolution_neurons(costed: Costed) -> float:
    return costed.network.convolution_neurons


def spikes(costed: Costed) -> float:
    """Of a sample, all neurons."""
    assert costed.spikes is not None
    return costed.spikes


def convolution_spikes(costed: Costed) -> float:
    """Of a sample, the neurons behind convolutions."""
    assert costed.convolution_nasar is not None
    network = costed.network
    return costed.convolution_nasar * network.convolution_neurons * network.timesteps


def spikes_of_samples(costed: Costed) -> float:
    return SAMPLES * spikes(costed)


def layer_spikes_of_samples(index: int) -> Callable[[Costed], float]:
    """Spikes of the network's layer of neurons at `index`."""

    def found(costed: Costed) -> float:
        assert costed.activity is not None
        layer = costed.network.neurons[index]
        rate = costed.activity.rates[layer.name]
        return SAMPLES * costed.network.timesteps * layer.neurons * rate

    return found


def layer_operations_of_step(index: int) -> Callable[[Costed], float]:
    """Operations of one step of the network's conv or linear layer at `index`."""
    return lambda costed: costed.lines[index].operations / costed.network.timesteps


def nasar(costed: Costed) -> float:
    assert costed.nasar is not None
    return costed.nasar


def energy(costed: Costed) -> float:
    return costed.energy.total_mj


def ann_ratio(costed: Costed) -> float:
    assert costed.ann_ratio is not None
    return costed.ann_ratio


def delta_mac1(costed: Costed) -> float:
    return costed.delta_mac1


def delta_mac2(costed: Costed) -> float:
    return costed.delta_mac2


def delta_mac(costed: Costed) -> float:
    return costed.delta_mac1 + costed.delta_mac2


def encoder_convolutions(costed: Costed) -> float:
    """Multiply-accumulates of the gated attention's convolutions (GAC's SCA)."""
    lines = [line for line in costed.lines if line.role == "encoder_attention"]
    return sum(line.operations for line in lines if ".spatial." in line.name)


def encoder_convolutions_mj(costed: Costed) -> float:
    return costed.convention.mac_pj * encoder_convolutions(costed) * 1e-9


def r_ee(compared: Comparison) -> float:
    assert compared.saving.r_ee is not None
    return compared.saving.r_ee


def r_rec(compared: Comparison) -> float:
    assert compared.saving.r_rec is not None
    return compared.saving.r_rec


def energy_saved(compared: Comparison) -> float:
    """-r_REC, as prose prints it."""
    return -r_rec(compared)


def delta_ac(compared: Comparison) -> float:
    return compared.saving.delta_ac


def delta_mj(compared: Comparison) -> float:
    return compared.saving.delta_mj


def spikes_saved(compared: Comparison) -> float:
    return 1 - spikes(compared.b) / spikes(compared.a)


def nasar_ratio(compared: Comparison) -> float:
    return nasar(compared.a) / nasar(compared.b)
