"""Every stage of the walk as text: one line a node, population, projection or core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.files.writing import replacing_folder, write_text
from snndeploy.graph import Graph, array_text
from snndeploy.graph import to_text as graph_text
from snndeploy.layout.layout import Layout
from snndeploy.lower.real_network import RealNetwork
from snndeploy.network import Network

Stage = Graph | RealNetwork | Network | Layout


def to_text(stage: Stage) -> str:
    """A graph, a lowered network, a network of integers or a layout.

    Arrays are shown as type, shape and a short hash, fields that keep their default not at all.
    """
    match stage:
        case Graph():
            return graph_text(stage, arrays=True)
        case Layout():
            return "\n".join(_layout_lines(stage)) + "\n"
        case RealNetwork() | Network():
            return "\n".join(_lines(stage)) + "\n"


class Dump:
    """Keeps the text of stages as they are made; `write` puts them, numbered, into a folder.

    Without a folder nothing is kept.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = Path(folder) if folder else None
        self.texts: list[tuple[str, str]] = []

    def __call__(self, name: str, stage: Stage) -> None:
        if self.folder:
            self.texts.append((name, to_text(stage)))

    def write(self) -> None:
        """Also of a network that was refused: how far it came.

        Raises:
            DeployError: the folder cannot be written.
        """
        if self.folder is None or not self.texts:
            return
        with replacing_folder(self.folder) as part:
            for number, (name, text) in enumerate(self.texts, start=1):
                write_text(part / f"{number}_{name}.txt", text)


def _lines(value: Any) -> Iterator[str]:
    """A dataclass on one line, and what it holds in tuples or as graphs below it."""
    words, below = [type(value).__name__], []
    for field in fields(value):
        found = getattr(value, field.name)
        if isinstance(found, Graph):
            held = graph_text(found, arrays=True).splitlines()
            below += [f"{field.name}:", *(f"  {line}" for line in held)]
        elif isinstance(found, tuple) and found and is_dataclass(found[0]):
            below += [line for entry in found for line in _lines(entry)]
        elif not _same(found, field.default):
            words.append(f"{field.name}={_said(found)}")
    yield " ".join(words)
    yield from (f"  {line}" for line in below)


def _given(value: Any) -> Iterator[str]:
    """The fields of a dataclass that are not as they are without being given."""
    for field in fields(value):
        found = getattr(value, field.name)
        if not _same(found, field.default):
            yield f"{field.name}={_said(found)}"


def _same(value: Any, default: Any) -> bool:
    """As it is without being given; nothing in it is as good as not given."""
    if isinstance(value, (tuple, Mapping)) and not value:
        return True
    return default is not MISSING and not isinstance(value, np.ndarray) and bool(value == default)


def _said(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return array_text(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Enum):
        return str(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}({' '.join(_given(value))})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_said(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_said, value)) + ")"
    return str(value)


def _layout_lines(layout: Layout) -> Iterator[str]:
    head = f"Layout cores={layout.cores} mesh={_said(layout.mesh)} board={_said(layout.board)}"
    yield f"{head} limits={_said(layout.limits)}"
    yield f"  binding: {layout.binding}"
    yield from (f"  note: {note}" for note in layout.notes)
    for core, place in enumerate(layout.positions.tolist()):
        use = " ".join(f"{name}={values[core]}" for name, values in sorted(layout.use.items()))
        yield f"  core {core} at {tuple(place)} {use}: " + ", ".join(
            f"{tile.population}[{_box(tile.channels, tile.rows, tile.columns)}]"
            + (f" of {_said(tile.share)}" if tile.share else "")
            + (f" {tile.encoding}" if tile.encoding else "")
            for tile in layout.tiles
            if tile.core == core
        )


def _box(*ranges: tuple[int, int]) -> str:
    return ", ".join(f"{start}:{stop}" for start, stop in ranges)
