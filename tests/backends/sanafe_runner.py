"""Runs an exported network in SANA-FE and prints what it counted in every step, as JSON.

    python sanafe_runner.py FOLDER STEPS TIMING_MODEL RESULT.json

With the detailed model it leaves a trace of every message in FOLDER/messages.csv.
Needs sanafe 2.2.9 and nothing of snndeploy: it runs in an interpreter of its own.
"""

import csv
import json
import os
import sys

import sanafe

FIELDS = ("fired", "updated", "packets", "hops", "spikes", "sim_time", "total_energy")


def main(folder, steps, timing_model, result):
    result = os.path.abspath(result)
    os.chdir(folder)  # the chip names the files of its neurons by relative paths
    architecture = sanafe.load_arch("chip.yaml")
    network = sanafe.load_net("network.net", architecture, use_netlist_format=True)
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    traces = {"perf_trace": "perf.csv"}
    if timing_model == "detailed":
        traces["message_trace"] = "messages.csv"
    chip.sim(int(steps), timing_model=timing_model, **traces)
    del chip  # writes what is buffered
    with open("perf.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {name: [float(row[name]) for row in rows] for name in rows[0] if rows}
    with open(result, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
