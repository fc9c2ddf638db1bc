"""What a run returns: Traffic (counts per step, core and link), Activity (answers, spikes)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class Traffic:
    """Exact counts of a batch, int64.  Axis `steps` is the chip step (timesteps + depth of them):
    a population at depth d does its aligned step tau in chip step index tau + d.

    Per core, shape (samples, steps, cores):
        neuron_accesses      neurons of the populations whose window covers the step
        neuron_updates       those with input, bias or a membrane that is not zero before the step;
                             all of them on a chip that updates idle neurons too
        spikes               neurons that fired (or relays that sent a payload)
        messages_out         one per spike and destination core (a core hosting several targets of
                             one neuron receives one message)
        messages_in          messages that arrive (those of this step's spikes, injections included)
        synaptic_operations  operations at this core by the spikes sent in this step, as the chip
                             counts them: weights of zero may be skipped, and neurons that a core
                             holds beyond the edge of its layer take operations too
        synapses_met         synapses of the network that these spikes meet, zero weights included
        conv_operations, sparse_operations   operations by the encoding of their weights, all
                             others being dense; without those that a chip prices as
                             multiply-accumulates
        graded_operations    operations that multiply a graded payload
        attention_macs, attention_additions   of attention on the chip (`attention_work`)
    Per step, shape (samples, steps):
        hops_east_west, hops_north_south   router-to-router hops inside chips
        hops_inter_chip                    hops that cross a chip border
        local_messages                     messages between cores of one router (no hop)
        host_bytes_in, host_bytes_out
        attention_bytes                    those of them that move attention to the host and back
    link_load: (samples, steps, links); links: int32 (links, 4) = x, y, dx, dy of the source router
    and the direction on the global mesh.
    """

    neuron_accesses: np.ndarray
    neuron_updates: np.ndarray
    spikes: np.ndarray
    messages_out: np.ndarray
    messages_in: np.ndarray
    synaptic_operations: np.ndarray
    synapses_met: np.ndarray
    conv_operations: np.ndarray
    sparse_operations: np.ndarray
    graded_operations: np.ndarray
    attention_macs: np.ndarray
    attention_additions: np.ndarray
    hops_east_west: np.ndarray
    hops_north_south: np.ndarray
    hops_inter_chip: np.ndarray
    local_messages: np.ndarray
    host_bytes_in: np.ndarray
    host_bytes_out: np.ndarray
    attention_bytes: np.ndarray
    link_load: np.ndarray
    links: np.ndarray


@dataclass(eq=False)
class Activity:
    """Result of a simulation.

    outputs: int64 (samples, classes), the readout's integers (see network.Readout).
    spike_counts: per population, int64 (samples, timesteps): spikes (payloads not zero) per step.
    spikes: per *recorded* population, (samples, timesteps, channels, height, width), uint8 for
        spikes, int32 for relays and graded inputs.
    membranes: per recorded population when asked for: v after each step (after reset), int32.
    overflows: per population, int64 counts of `boundary.OVERFLOW_KINDS`, so that runs can be added.
    warnings: what is not as it should be, the overflows included, in words.
    """

    outputs: np.ndarray
    spike_counts: dict[str, np.ndarray]
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    membranes: dict[str, np.ndarray] = field(default_factory=dict)
    traffic: Traffic | None = None
    overflows: dict[str, np.ndarray] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
