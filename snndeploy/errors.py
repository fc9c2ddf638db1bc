"""The one family of errors a user may see: one line each, never a traceback.

A message says what is wrong, where, by how much, and what to do next, for example
"stage3.conv2 needs 9216 input axons on one loihi1 core; a core has 4096. Split it by
channels, or choose another target."  A user's mistake raises one of these; our own
mistakes are asserts.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from snndeploy.printable import printable

LONGEST_FOREIGN_TEXT = 240  # characters kept of a message that another library wrote
LONGEST_MESSAGE = 2000  # of ours: names in it may come from a hostile file
LONGEST_NAME = 200  # likeness of longer names takes long and helps nobody
NEAR_ENOUGH = 0.6  # difflib's likeness, of 1, from which a name is worth suggesting
MOST_PLACES = 3  # layers that are named one by one when they share a reason


@dataclass(frozen=True)
class Violation:
    """One thing that a network asks for and a target cannot give.

    place: what the message begins with, the layer as a user knows it and its operation ('' for the
    network as a whole).  said: the rest of the message.  layer, operation: as the place has them.
    reason: bare, without place or advice.  size: how much against which limit, '' where nothing is
    counted.  advice: the nearest legal form.  too_large: it would run if it were smaller.
    """

    place: str
    said: str
    layer: str
    reason: str
    operation: str = ""
    size: str = ""
    advice: str = ""
    too_large: bool = False

    @property
    def text(self) -> str:
        return self.place + self.said

    def as_json(self) -> dict[str, str]:
        record = {**asdict(self), "text": self.text}
        return {key: record[key] for key in VIOLATION_KEYS}


VIOLATION_KEYS = ("layer", "operation", "reason", "size", "advice", "text")


class DeployError(Exception):
    """Anything the compiler refuses; `str(error)` is always a single printable line.

    violations: what each refusal is about, where there may be several.
    known: what had been found out of the SPEC by then, in words.
    """

    violations: tuple[Violation, ...] = ()
    known: tuple[str, ...] = ()

    def __init__(self, message: str) -> None:
        super().__init__(_shortened(printable(" ".join(message.split()))))


class ModelError(DeployError):
    """The user's model, its specification or its checkpoint cannot be used."""


class DescriptionError(ModelError):
    """A neuron does not do what its description states."""


class OptionError(DeployError):
    """An option that says nothing about what it was given with: a usage error."""


class DataError(DeployError):
    """The calibration or test data cannot be used."""


class TargetError(DeployError):
    """A chip file is unknown, unreadable or breaks the rules of `targets/README.md`."""


class FitError(DeployError):
    """The network is larger than the target allows."""


class MapError(DeployError):
    """A core map does not place the network on the chip."""


class ProgramError(DeployError):
    """A program file is damaged, altered, or newer than this release."""


class UnsupportedError(DeployError):
    """The target, a backend or the compiler cannot do something the network asks for.

    `node` names the node or population ("" when there is none) and `reason` is the bare
    reason without location or advice, for reports that group by it.
    """

    def __init__(self, message: str, *, node: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.node = node
        self.reason = reason or str(self)


def refusal(violations: Sequence[Violation]) -> FitError | UnsupportedError:
    """One error of all of them: a FitError when each is a matter of size."""
    reasons = reasons_of(violations)
    said = reasons[0]
    if len(reasons) > 1:
        listed = "; ".join(f"({index}) {text}" for index, text in enumerate(reasons, start=1))
        said = f"{len(reasons)} reasons: {listed}"
    error: FitError | UnsupportedError
    if all(violation.too_large for violation in violations):
        error = FitError(said)
    else:
        first = next(violation for violation in violations if not violation.too_large)
        error = UnsupportedError(said, node=first.layer, reason=first.reason)
    error.violations = tuple(violations)
    return error


def reasons_of(violations: Iterable[Violation]) -> list[str]:
    """Their texts; layers that share all but the place are named in one."""
    places: dict[str, list[str]] = {}
    for violation in violations:
        places.setdefault(violation.said, []).append(violation.place)
    return [_several(list(dict.fromkeys(found))) + said for said, found in places.items()]


def _several(places: Sequence[str]) -> str:
    if len(places) <= MOST_PLACES:
        return " and ".join(filter(None, [", ".join(places[:-1]), places[-1]]))
    return f"{', '.join(places[: MOST_PLACES - 1])} and {len(places) - MOST_PLACES + 1} more"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def near_names(name: str, candidates: Iterable[str]) -> str:
    """The tail of a message: ", did you mean 'loihi2'?", or "" when nothing is near.

    Two names are offered only when they are equally near.
    """
    if len(name) > LONGEST_NAME:
        return ""
    likeness = {
        candidate: difflib.SequenceMatcher(None, name.lower(), candidate.lower()).ratio()
        for candidate in candidates
    }
    best = max(likeness.values(), default=0.0)
    if best < NEAR_ENOUGH:
        return ""
    nearest = [candidate for candidate, ratio in likeness.items() if ratio == best][:2]
    return f", did you mean {' or '.join(map(repr, nearest))}?"


def one_line(error: BaseException) -> str:
    """A foreign exception as one short line: its class and the start of its text."""
    text = " ".join(str(error).split())
    if len(text) > LONGEST_FOREIGN_TEXT:
        text = text[: LONGEST_FOREIGN_TEXT - 1].rstrip() + "…"
    name = type(error).__name__
    return f"{name}: {text}" if text else name
