"""The two texts that a bundle carries: README.md and requirements.txt."""

from __future__ import annotations

from typing import Any

REQUIREMENTS = ("lava-nc==0.10.0", "numpy==1.26.4", "networkx==2.8.7", "scipy==1.15.3")

README = """# {title}

A spiking network in integers, with {samples} input samples and the spikes it must produce. It needs
Python 3.10, `lava-nc` 0.10.0 and numpy, nothing else.

    python3.10 -m pip install -r requirements.txt
    python3.10 run.py --config sim

The second command runs the samples through Lava's fixed-point simulation of Loihi 2, compares every
spike of every population at every step, and ends with 0 when all are equal, or with 1 after naming
the first difference. `--samples N` takes the first N samples, `--results FILE.npz` keeps the
spikes. `--config hardware` runs on a Loihi 2 board, where Intel's Lava extension is installed and
Lava ships a process for every population; elsewhere it says why, and ends with 3. **Runs on silicon
are untested.**

* `run.py` builds the Lava processes: one function for each kind of population and projection.
* `processes.py` holds three small processes that Lava lacks, `neuron_program.py` the arithmetic of
  one of them; `support.py` runs and compares.
* `manifest.json` and `arrays/` are the network, its inputs and the expected spikes: integers only.

{timesteps} time steps a sample; a sample takes {period} chip steps, since every synapse takes one.

| population | kind | shape (c, y, x) | depth |
|---|---|---|---|
{populations}

{simulation_only}{notes}"""

SIMULATION_ONLY = """## In simulation only

{names}

Lava ships no process for these populations. A population of kind `programmed` runs a neuron
program, whose arithmetic `neuron_program.py` says; `NeuronProgram` is a fixed-point model of it for
Lava's simulation of Loihi 2 (`Loihi2SimCfg`), and `ShiftedRelay` one of a relay that shifts. On
silicon they need a microcode program that does not ship: `--config hardware` is refused.

"""

NOTES = """## Before running on a chip

Lava's simulation holds these integers exactly; a Loihi register is narrower:

{notes}
"""


def readme_text(manifest: dict[str, Any], title: str) -> str:
    rows = [
        f"| {p['name']} | {p['kind']} | {' x '.join(map(str, p['shape']))} | {p['depth']} |"
        for p in manifest["populations"]
    ]
    notes = _listed(manifest["hardware_notes"])
    simulated = _listed(manifest["simulation_only"])
    return (
        README.format(
            title=title or "A Lava bundle",
            samples=manifest["samples"],
            timesteps=manifest["timesteps"],
            period=manifest["period"],
            populations="\n".join(rows),
            simulation_only=SIMULATION_ONLY.format(names=simulated) if simulated else "",
            notes=NOTES.format(notes=notes) if notes else "",
        ).rstrip()
        + "\n"
    )


def _listed(lines: list[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)


def requirements_text() -> str:
    return "\n".join(REQUIREMENTS) + "\n"
