"""What a RealNetwork computes, straight from its definition, in float64."""

from __future__ import annotations

import numpy as np
import torch

from snndeploy.connections import Dense, Transposed
from snndeploy.ops.evaluate import by_step, evaluate


def run_real(network, x):
    """Per population (samples, steps, C, H, W): spikes, relayed currents, or inputs; and logits.

    current = sum of connections + the host's part + offset, then the LIF over T; an integrator
    keeps its currents.
    """
    steps = network.timesteps
    hosts = [p.host or p.node for p in network.populations if p.host or p.kind == "input"]
    values = evaluate(network.encoder, x, hosts, double=True) if hosts else {}

    def host(name, shape):
        value = by_step(network.encoder.by_name[name], values[name], len(x))
        value = value.reshape(len(x), value.shape[1], *shape)
        return np.broadcast_to(value, (len(x), steps, *shape))

    sent = {}
    for population in network.populations:
        if population.kind == "input":
            sent[population.name] = host(population.node, population.shape)
            continue
        current = np.zeros((len(x), steps, *population.shape))
        for term in population.terms:
            current = current + connect(term.connection, sent[term.source])
        if population.host:
            current = current + host(population.host, population.shape)
        if population.offset is not None:
            current = current + population.offset
        for region in population.attention:
            if region.location != "membrane":
                current = refine(region, current)
        sent[population.name] = respond(population, current)
    readout = network.readout
    summed = sent[readout.population].sum(axis=1).reshape(len(x), -1)
    return sent, summed * readout.factor + readout.offset


def respond(population, current):
    if population.kind == "or":
        return (current >= population.level).astype(np.float64)
    if population.kind in ("relay", "integrator"):
        return current
    inside = [region for region in population.attention if region.location == "membrane"]
    neuron = population.neuron
    membrane, spikes = np.zeros_like(current[:, 0]), np.zeros_like(current)
    for step in range(current.shape[1]):
        membrane = membrane + current[:, step]
        for region in inside:
            membrane = refine(region, membrane[:, None])[:, 0]
        over = membrane >= neuron.threshold
        fired = over if neuron.fires_at == "ge" else membrane > neuron.threshold
        spikes[:, step] = fired
        membrane = np.where(fired, 0.0, neuron.decay * membrane)
    return spikes


def refine(region, values):
    """(samples, steps, C, H, W) through attention, one step or the whole window at a time."""
    graph = region.graph
    windows = values.reshape(-1, graph.timesteps, *values.shape[2:])
    x = windows.reshape(len(windows), *graph.input.shape[1:])
    (answer,) = evaluate(graph, x, hoist=False, double=True).values()
    return by_step(graph.by_name[graph.outputs[0]], answer, len(windows)).reshape(values.shape)


def connect(connection, sent):
    """(samples, steps, C, H, W) through a connection."""
    frames = torch.tensor(sent.reshape(-1, *sent.shape[2:]))
    if isinstance(connection, Dense):
        rows, columns = connection.weight.shape[2:]
        high, wide = connection.pool
        frames = frames[:, :, : rows * high, : columns * wide]
        frames = frames.unflatten(3, (columns, wide)).unflatten(2, (rows, high)).sum((3, 5))
        result = frames.flatten(1) @ torch.tensor(connection.weight).flatten(1).T
        result = result[:, :, None, None]
    elif isinstance(connection, Transposed):
        weight = torch.tensor(connection.weight)
        parts = [
            torch.nn.functional.conv_transpose2d(
                read, taps.transpose(0, 1), None, connection.stride, connection.padding,
                connection.extra,
            )
            for read, taps in zip(
                frames.chunk(connection.groups, 1), weight.chunk(connection.groups), strict=True
            )
        ]  # fmt: skip
        result = torch.cat(parts, 1)
    else:
        result = torch.nn.functional.conv2d(
            frames,
            torch.tensor(connection.weight),
            None,
            connection.stride,
            connection.padding,
            connection.dilation,
            connection.groups,
        )
    return result.numpy().reshape(*sent.shape[:2], *result.shape[1:])
