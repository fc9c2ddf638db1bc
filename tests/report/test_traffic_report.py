"""Traffic by layer and step, busiest cores and links, real time: on a run done on paper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from populations import altered
from test_report import FIRST, SAMPLES, SECOND, STEPS, small_network, small_program, small_run

from snndeploy.network import Readout
from snndeploy.program import Program
from snndeploy.report import render, summarize
from snndeploy.report.html import page

NANO = 1e-9
WALK = 6.0 + 3.7  # ns: access and update
FIRE = 30.0 + 5.1  # ns: spike and its one message
TOTALS = {
    "messages": "messages_per_sample",
    "hops": "hops_per_sample",
    "inter_chip_hops": "inter_chip_hops_per_sample",
    "neuron_updates": "neuron_updates_per_sample",
    "host_io_bytes": "host_io_bytes_per_sample",
    "message_bytes": "message_bytes_per_sample",
}


def report_of(program: Program, chunks: tuple[int, ...] = (SAMPLES,)) -> dict[str, Any]:
    return summarize(program, small_run(program, chunks), None, "digits.npz")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return report_of(small_program())


def answering(bytes_per_second: float | None) -> Program:
    """Three membranes of 4 bytes go back to the host, over a link of that speed."""
    program = small_program(network=replace(small_network(), readout=Readout("answer", "membrane")))
    quantities = dict(program.target.quantities)
    speed = quantities.pop("host.io_bytes_per_second")
    if bytes_per_second is not None:
        quantities["host.io_bytes_per_second"] = replace(speed, value=bytes_per_second)
    return replace(program, target=replace(program.target, quantities=quantities))


def test_layers_by_hand(report):
    first, second, answer = report["traffic"]["layers"]
    assert first.pop("by_step") == {
        "spikes": [FIRST, 0, 0, 0],
        "messages": [FIRST, 0, 0, 0],
        "messages_from_host": [0, 0, 0, 0],
        "hops": [FIRST, 0, 0, 0],
        "inter_chip_hops": [0, 0, 0, 0],
        "synaptic_operations": [0, 0, 0, 0],
        "neuron_updates": [FIRST, FIRST, 0, 0],
        "host_io_bytes": [0, 0, 0, 0],
        "message_bytes": [4 * FIRST, 0, 0, 0],
    }
    assert first == {
        "name": "first", "kind": "lif", "spikes_per_sample": 10, "messages_per_sample": 10,
        "messages_from_host_per_sample": 0, "hops_per_sample": 10,
        "inter_chip_hops_per_sample": 0, "synaptic_operations_per_sample": 0,
        "neuron_updates_per_sample": 20, "host_io_bytes_per_sample": 0,
        "message_bytes_per_sample": 40,
    }  # fmt: skip
    assert second["by_step"]["synaptic_operations"] == [FIRST * SECOND, 0, 0, 0]
    assert second["by_step"]["messages"] == [0, 0, 2, 0]
    assert answer["by_step"]["synaptic_operations"] == [0, 0, 2 * 3, 0]
    assert answer["spikes_per_sample"] == 0


@pytest.mark.parametrize("chunks", [(4,), (1, 3)])
def test_layers_and_steps_add_up_to_the_totals(chunks):
    found = report_of(answering(1e8), chunks)
    traffic = found["traffic"]
    totals = {key: traffic[path] for key, path in TOTALS.items()}
    totals["spikes"] = found["spikes"]["total_per_sample"]
    totals["synaptic_operations"] = sum(
        found["operations"]["synaptic_operations_per_sample"].values()
    )
    totals["messages_from_host"] = (
        traffic["messages_received_per_sample"] - traffic["messages_per_sample"]
    )
    for key, total in totals.items():
        layers = sum(layer[f"{key}_per_sample"] for layer in traffic["layers"])
        by_step = sum(sum(layer["by_step"][key]) for layer in traffic["layers"])
        steps = sum(step[key] for step in traffic["steps"])
        assert layers == pytest.approx(total, rel=1e-12), key
        assert by_step == pytest.approx(total, rel=1e-12), key
        assert steps == pytest.approx(total, rel=1e-12), key
    seconds = sum(step["seconds"] for step in traffic["steps"])
    assert seconds == pytest.approx(found["latency"]["seconds_per_sample"], rel=1e-12)
    host = sum(step["host_link_seconds"] for step in traffic["steps"])
    assert host == pytest.approx(found["latency"]["host_link_seconds_per_sample"], rel=1e-12)


def test_an_input_has_no_neuron_on_the_chip():
    network = small_network()
    events = altered(network.populations[0], kind="input", origin="x")
    program = small_program(
        network=replace(network, populations=(events, *network.populations[1:]))
    )
    outside = replace(program.layout, tiles=program.layout.tiles[1:])
    layer = report_of(replace(program, layout=outside))["traffic"]["layers"][0]
    assert layer["messages_from_host_per_sample"] == FIRST
    assert layer["host_io_bytes_per_sample"] == 4 * FIRST
    assert not {"spikes_per_sample", "messages_per_sample", "neuron_updates_per_sample"} & set(
        layer
    )


def test_busiest_cores_by_hand(report):
    """`second` receives 10 spikes of 6 synapses, then walks twice and fires twice."""
    receive = FIRST * (16.0 + SECOND * 3.8)
    walk, fire = SECOND * WALK, 2 * FIRE
    core = report["traffic"]["busiest_cores"][0]
    assert (core["core"], core["chip"], core["router"]) == (1, 0, [1, 0])
    assert core["populations"] == ["second"]
    assert core["busy_seconds_per_sample"] == pytest.approx((receive + 2 * walk + fire) * NANO)
    assert core["send_seconds_per_sample"] == pytest.approx((2 * walk + fire) * NANO)
    assert core["receive_seconds_per_sample"] == pytest.approx(receive * NANO)
    latency = report["latency"]["seconds_per_sample"]
    assert core["utilisation"] == core["busy_seconds_per_sample"] / latency
    assert core["binds"] == 0  # the barrier of 1000 ns is longer than any core
    assert [row["core"] for row in report["traffic"]["busiest_cores"]] == [1, 0, 2]
    assert [row["bound_by"] for row in report["traffic"]["steps"]] == [{"barrier": 1.0}] * 4


def test_busiest_links_by_hand(report):
    east, south = report["traffic"]["busiest_links"]
    assert (east["from_router"], east["to_router"]) == ([0, 0], [1, 0])
    assert (south["from_router"], south["to_router"]) == ([1, 0], [1, 1])
    assert (east["from_chip"], east["to_chip"]) == (0, 0)
    assert east["messages_per_sample"] == east["most_messages_in_a_step"] == FIRST
    assert east["messages_per_step"] == FIRST / (STEPS + 2)
    assert east["busy_seconds_per_sample"] == pytest.approx(FIRST * 4.1 * NANO)
    slowest = report["traffic"]["steps"][0]["seconds"]
    assert east["utilisation_in_worst_step"] == pytest.approx(FIRST * 4.1 * NANO / slowest)
    assert south["busy_seconds_per_sample"] == pytest.approx(2 * 6.5 * NANO)


def test_cores_bind_where_the_barrier_is_short():
    program = small_program()
    quantities = dict(program.target.quantities)
    barrier = quantities["timing.barrier_ns"]
    quantities["timing.barrier_ns"] = replace(barrier, value=tuple(1.0 for _ in barrier.value))
    found = report_of(replace(program, target=replace(program.target, quantities=quantities)))
    binds = {row["core"]: row["binds"] for row in found["traffic"]["busiest_cores"]}
    assert binds == {0: 0.5, 1: 0.25, 2: 0.25}  # of four steps: first, first, second, answer
    # pipelined: first fires with all else, then walks; second fires in the first step's place
    limit = found["real_time"]["chip"]["limit"]
    assert limit["what"] == "core 0 (first) sending" and limit["kind"] == "send"
    busy = [FIRST * (WALK + FIRE), SECOND * WALK]
    busy[1] = max(FIRST * WALK, busy[1])
    assert limit["shares"]["barrier"] == pytest.approx(2 / (sum(busy) + 2))
    assert limit["share"] == pytest.approx(sum(busy) / (sum(busy) + 2))
    interval = (sum(busy) + 2) * NANO
    assert found["real_time"]["steps_per_second"] == pytest.approx(STEPS / interval)


def test_the_host_link_is_named_where_it_is_the_limit():
    found = report_of(answering(1000.0))["real_time"]
    assert found["limited_by"] == "the host link"
    assert found["host_link"]["seconds_per_sample"] == pytest.approx(0.012)
    assert found["host_link"]["mark"] == "assumed"
    assert found["samples_per_second"] == pytest.approx(1 / 0.012)
    assert found["steps_per_second"] == pytest.approx(STEPS / 0.012)
    chip = found["chip"]
    assert found["host_link"]["times_chip"] == pytest.approx(0.012 / chip["seconds_per_sample"])
    assert chip["limit"]["what"] == "the barrier of every step"
    assert chip["samples_per_second"] == pytest.approx(1 / chip["seconds_per_sample"])


def test_the_host_link_also_moves_what_its_attention_refines():
    """The link is one: the next sample enters only when nothing else moves."""
    program = answering(1000.0)
    run = small_run(program)
    waiting = [replace(t, host_waiting_seconds=0 * t.step_seconds + 0.5) for t in run.timings]
    found = summarize(program, replace(run, timings=tuple(waiting)))["real_time"]
    moved = 0.012 + 0.5 * run.timings[0].step_seconds.shape[1]
    assert found["host_link"]["seconds_per_sample"] == pytest.approx(moved)
    assert found["samples_per_second"] == pytest.approx(1 / moved)


def test_a_fast_host_link_leaves_the_chip_as_the_limit():
    found = report_of(answering(1e12))["real_time"]
    assert found["limited_by"] == found["chip"]["limit"]["what"] == "the barrier of every step"
    assert found["samples_per_second"] == found["chip"]["samples_per_second"]
    assert found["host_link"]["times_chip"] < 1


def test_an_unstated_host_link_is_absent():
    found = report_of(answering(None))
    assert "host_link" not in found["real_time"]
    assert all("host_link_seconds" not in step for step in found["traffic"]["steps"])
    assert (
        "loihi1 does not state host.io_bytes_per_second: the host link is not timed"
        in found["notes"]
    )
    assert "; the host link is not timed\n" in render(found)


def test_bytes_of_messages_need_their_size():
    program = small_program()
    quantities = dict(program.target.quantities)
    del quantities["formats.message_bits"]
    found = report_of(replace(program, target=replace(program.target, quantities=quantities)))
    assert "message_bytes_per_sample" not in found["traffic"]
    assert all("message_bytes" not in row for row in found["traffic"]["steps"])
    assert (
        "loihi1 does not state formats.message_bits: the bytes of messages between cores are not"
        " given"
    ) in found["notes"]


def test_terminal_text():
    text = render(report_of(answering(1000.0)))
    start = text.index("Traffic a sample")
    assert text[start : text.index("Chip energy")] == (
        "Traffic a sample, by layer\n"
        "  population  messages  from host  hops  syn. ops  updates\n"
        "  first             10          0    10         0       20\n"
        "  second             2          0     2        60       12\n"
        "  answer             0          0     0         6        6\n"
        "\n"
        "Busiest cores and links\n"
        "                                              a sample  of latency  sets steps\n"
        "  core 1: second                                575 ns     12.21 %      0.00 %\n"
        "  core 0: first                                 545 ns     11.58 %      0.00 %\n"
        "  core 2: answer                               83.9 ns      1.78 %      0.00 %\n"
        "  link (0, 0) to (1, 0): 2.5 messages a step     41 ns      0.87 %      0.00 %\n"
        "  link (1, 0) to (1, 1): 0.5 messages a step     13 ns      0.27 %      0.00 %\n"
        "\n"
        "Real time: 83.3 samples/s (167 steps/s) sustained, limited by the host link: 12\n"
        "  ms a sample, 4,720 times the chip's time (speed assumed); the chip alone:\n"
        "  393,000 samples/s (786,000 steps/s), limited by the barrier of every step\n"
        "\n"
    )


def test_the_page_shows_steps_and_limits():
    text = page(report_of(answering(1000.0)))
    assert "step 0: 1.45 µs, set by the barrier" in text
    assert "Sustained, limited by the host link:" in text
    assert text.count("<h2>") == 12
