"""What `silicon.py` found, in a terminal."""

from __future__ import annotations

from typing import Any

BY_CORE = ("synaptic_operations", "neuron_updates", "messages_out", "spikes_in", "memory_used")
READ_TO = 5000  # the source's counts of small layers are a multiple of 10,000


def show(name: str, found: dict[str, Any]) -> None:
    print(f"\n{name} on {found['target']}, {found['given_map']['cores']} cores")
    for note in found["given_map"]["notes"]:
        print(f"  {note}")
    if "cores" in found:
        show_pilotnet(found)
    if "step_us" in found:
        show_series(found["errors"])
    else:
        truth = found["measured"]["mean_step_us"]
        print(f"  mean step: measured {truth:.2f} us, analytic {found['mean_step_us']:.2f}"
              f" ({found['errors']['analytic']:+.1%}), cycle {found['mean_step_us_cycle']:.2f}"
              f" ({found['errors']['cycle']:+.1%}); {found['correct']} of"
              f" {found['images']} digits right")  # fmt: skip
    for own in found.get("own_maps", ()):
        room = ", no more cores" if own["no_more_cores"] else ""
        print(f"  own map ({own['objective']}{room}): {own['cores']} cores,"
              f" {own['mean_step_us']:.1f} us,"
              f" {own['times_given_map']:.2f} times the measured map's")  # fmt: skip


def show_series(found: dict[str, Any]) -> None:
    print(f"  steps {found['steps']}: measured mean {found['measured_mean_us']:.1f} us")
    for key in ("analytic", "cycle", "analytic_by_row", "cycle_by_row", "sana_fe"):
        if key in found:
            line = found[key]
            print(f"    {key:<16} {line['mean_us']:7.1f} us ({line['mean_error']:+6.1%}),"
                  f" mean error of a step {line['mape']:6.1%}, r {line['r']:.3f}")  # fmt: skip


def show_pilotnet(found: dict[str, Any]) -> None:
    truth, energy = found["measured"]["mean_step_us"], found["energy"]
    print(f"  mean step: measured {truth:.2f} us, analytic {found['mean_step_us']:.2f}"
          f" ({found['errors']['mean_step']:+.1%}), cycle {found['mean_step_us_cycle']:.2f}"
          f" ({found['mean_step_us_cycle'] / truth - 1:+.1%})")  # fmt: skip
    for key, value in energy["measured"].items():
        print(
            f"  {key}: measured {value:.3f}, ours {energy[key]:.3f} ({energy['errors'][key]:+.1%})"
        )
    for name in BY_CORE:
        worst = worst_core(found["cores"], name)
        if worst:
            print(f"  {name} by core: largest error {worst[0]:.2%}, core {worst[1]}")
    for layer in found["layers"]:
        words, truth = layer["synmem_words"], layer["measured"]["synmem_words"]
        print(f"  {layer['layer']}: {words} words of weights a core, measured {truth}")


def worst_core(cores: list[dict[str, Any]], name: str) -> tuple[float, int] | None:
    """The largest relative error of a count beyond what the source can be read to, and where."""
    read_to = 0 if name == "memory_used" else READ_TO
    found = [
        (max(0, abs(core[name] - truth) - read_to) / truth, core["core"])
        for core in cores
        if name in core and (truth := core["measured"].get(name))
    ]
    return max(found, default=None)
