"""The definition of Traffic, one synapse at a time: slow, plain, and sharing no code with it."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from snndeploy.connections import Conv, Dense, Transposed

HOST_MESSAGE_BYTES, BIAS_BYTES, READOUT_BYTES = 4, 2, 4


def owner_of(layout, population):
    """Core of each neuron, by (c, y, x)."""
    return {
        (c, y, x): tile.core
        for tile in layout.tiles
        if tile.population == population.name
        for c in range(*tile.channels)
        for y in range(*tile.rows)
        for x in range(*tile.columns)
    }


def taps_of_conv(conv, source, target):
    """(source neuron, target neuron, index of its weight) of every synapse."""
    outputs, per_group, kernel_h, kernel_w = conv.weight.shape
    for o, y, x in np.ndindex(target):
        group = o // (outputs // conv.groups)
        for i, ky, kx in np.ndindex(per_group, kernel_h, kernel_w):
            sy = y * conv.stride[0] + ky * conv.dilation[0] - conv.padding[0]
            sx = x * conv.stride[1] + kx * conv.dilation[1] - conv.padding[1]
            if 0 <= sy < source[1] and 0 <= sx < source[2]:
                yield (group * per_group + i, sy, sx), (o, y, x), (o, i, ky, kx)


def taps_of_dense(dense, source, target):
    outputs, _, rows, columns = dense.weight.shape
    for c, y, x in np.ndindex(source):
        row, column = y // dense.pool[0], x // dense.pool[1]
        if row < rows and column < columns:
            for o in range(outputs):
                yield (c, y, x), (o, 0, 0), (o, c, row, column)


def taps_of_transposed(transposed, source, target):
    outputs, per_group, kernel_h, kernel_w = transposed.weight.shape
    for i, sy, sx in np.ndindex(source):
        group, within = divmod(i, per_group)
        for ky, kx in np.ndindex(kernel_h, kernel_w):
            y = sy * transposed.stride[0] + ky - transposed.padding[0]
            x = sx * transposed.stride[1] + kx - transposed.padding[1]
            if 0 <= y < target[1] and 0 <= x < target[2]:
                each = outputs // transposed.groups
                for o in range(group * each, (group + 1) * each):
                    yield (i, sy, sx), (o, y, x), (o, within, ky, kx)


TAPS = {Conv: taps_of_conv, Dense: taps_of_dense, Transposed: taps_of_transposed}


def synapses_of(projection, source, target):
    """Target neurons of each source neuron, one entry a synapse."""
    found = weighed_synapses_of(projection, source, target.shape)
    return defaultdict(list, {neuron: [t for t, _ in each] for neuron, each in found.items()})


def weighed_synapses_of(projection, source, target):
    """Target neuron and weight of each source neuron's synapses, into targets of a shape."""
    found = defaultdict(list)
    connection = projection.connection
    for neuron, reached, slot in TAPS[type(connection)](connection, source.shape, target):
        found[neuron].append((reached, connection.weight[slot]))
    return found


def rooms_of(layout, population):
    """Core of each neuron by (c, y, x), and of those beyond the edge that a share has room for."""
    found = {}
    for tile in layout.tiles:
        if tile.population == population:
            begins = [start for start, _ in (tile.channels, tile.rows, tile.columns)]
            box = [stop - start for start, stop in (tile.channels, tile.rows, tile.columns)]
            for place in np.ndindex(tile.share or tuple(box)):
                found[tuple(b + p for b, p in zip(begins, place, strict=True))] = tile.core
    return found


def room_of(layout, population):
    """The shape that all of these fill."""
    return tuple(max(places) + 1 for places in zip(*rooms_of(layout, population), strict=True))


def route(start, stop):
    """Links (x, y, dx, dy) from router to router: along x, then along y."""
    (x, y), links = start, []
    while x != stop[0]:
        step = 1 if stop[0] > x else -1
        links.append((x, y, step, 0))
        x += step
    while y != stop[1]:
        step = 1 if stop[1] > y else -1
        links.append((x, y, 0, step))
        y += step
    return links


def leaves_chip(link, mesh):
    x, y, dx, dy = link
    return (x // mesh[0], y // mesh[1]) != ((x + dx) // mesh[0], (y + dy) // mesh[1])


def enumerate_traffic(network, layout, spikes, updated, graded, target=None):
    """Every count of Traffic by name, as a Counter with (sample, step[, core or link]) keys.

    spikes, updated: by population; graded: by injection index; (samples, timesteps, C, H, W).
    "layers" has (population, count, step) keys: who causes it, summed over the samples.
    target: without one every synapse counts, and all are dense.
    """
    count = defaultdict(Counter)
    routers = [tuple(map(int, position[:2])) for position in layout.positions]
    owners = {p.name: owner_of(layout, p) for p in network.populations if p.neuron.name != "input"}

    def layer(name, what, at, number=1):
        count["layers"][name, what, at[1]] += number

    def send(name, at, source_core, core):
        start = (0, 0) if source_core is None else routers[source_core]
        count["messages_in"][*at, core] += 1
        layer(name, "host_messages" if source_core is None else "messages_out", at)
        if source_core is None:
            count["host_bytes_in"][at] += HOST_MESSAGE_BYTES
            layer(name, "host_bytes_in", at, HOST_MESSAGE_BYTES)
        else:
            count["messages_out"][*at, source_core] += 1
            count["local_messages"][at] += start == routers[core]
        for link in route(start, routers[core]):
            count["link_load"][*at, link] += 1
            layer(name, "hops", at)
            if leaves_chip(link, layout.mesh):
                layer(name, "hops_inter_chip", at)
                count["hops_inter_chip"][at] += 1
            else:
                count["hops_east_west" if link[2] else "hops_north_south"][at] += 1

    for population in network.populations:
        own = owners.get(population.name)
        fan_out = [
            (
                weighed_synapses_of(p, population, network.by_name[p.target].shape),
                owners[p.target],
                p,
            )
            for p in network.outgoing(population.name)
        ]
        beyond = [
            (
                weighed_synapses_of(p, population, room_of(layout, p.target)),
                rooms_of(layout, p.target),
                p,
            )
            for p in network.outgoing(population.name)
        ]
        for sample, tau, *neuron in np.argwhere(spikes[population.name]).tolist():
            at, neuron = (sample, tau + population.depth), tuple(neuron)
            reached = set()
            for (synapses, owner, projection), (wide, rooms, _) in zip(
                fan_out, beyond, strict=True
            ):
                cores = set()
                for other, _ in synapses[neuron]:
                    count["synapses_met"][*at, owner[other]] += 1
                    layer(projection.target, "synapses_met", at)
                    cores.add(owner[other])
                reached |= cores
                for other, weight in wide[neuron]:
                    core = rooms[other]
                    skipped = target is not None and target.zero_weights == "skipped"
                    if core not in cores or (skipped and weight == 0):
                        continue
                    count["synaptic_operations"][*at, core] += 1
                    layer(projection.target, "synaptic_operations", at)
                    graded_too = population.neuron.payload_bound > 1
                    count["graded_operations"][*at, core] += graded_too
                    apart = target is None or (graded_too and target.has("energy.mac_pj"))
                    if not isinstance(projection.connection, Dense) and not apart:
                        kind = "conv" if target.shared_convolution else "sparse"
                        count[f"{kind}_operations"][*at, core] += 1
            if own is not None:
                count["spikes"][*at, own[neuron]] += 1
                layer(population.name, "spikes", at)
            for core in reached:
                send(population.name, at, None if own is None else own[neuron], core)
        if own is None:
            continue
        for sample, tau, *neuron in np.argwhere(updated[population.name]).tolist():
            at = (sample, tau + population.depth)
            count["neuron_updates"][*at, own[tuple(neuron)]] += 1
            layer(population.name, "neuron_updates", at)
        for sample in range(len(spikes[population.name])):
            for tau in range(network.timesteps):
                for core in own.values():
                    count["neuron_accesses"][sample, tau + population.depth, core] += 1

    samples = len(next(iter(spikes.values())))
    for index, injection in enumerate(network.injections):
        target = network.by_name[injection.target]
        if injection.mode == "graded":
            for sample, tau, *neuron in np.argwhere(graded[index]).tolist():
                core = owners[target.name][tuple(neuron)]
                send(target.name, (sample, tau + target.depth), None, core)
        if injection.mode == "bias":
            for sample in range(samples):
                at = (sample, target.depth)
                count["host_bytes_in"][at] += BIAS_BYTES * target.neurons
                layer(target.name, "host_bytes_in", at, BIAS_BYTES * target.neurons)
    if network.readout is not None:
        answer = network.by_name[network.readout.population]
        for sample in range(samples):
            at = (sample, answer.depth + network.timesteps - 1)
            count["host_bytes_out"][at] += READOUT_BYTES * answer.neurons
            layer(answer.name, "host_bytes_out", at, READOUT_BYTES * answer.neurons)
    return count
