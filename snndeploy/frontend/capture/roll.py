"""Rolling: a tuple of T values, one a step, that are the same up to the step becomes one node.

zip(n_0, ..., n_{T-1}) walks backward from such a tuple; ANY stands where nobody reads a step:

  1  all the same                                   a value that no step changes
  2  part t of a value along one dimension          the time axis of that value
  3  a known family, or one shifted by a step       itself, or its delay: this closes the loop
  4  the same operator with the same literals       a new family; every argument is a tuple again
  5  a constant, then values that agree             a delay of the family n_1 ... n_{T-1}, ANY
  5a the same with products                         a product whose first factor is zero at step 0
  6  an operand, then sums that it would be one of  a sum whose other operand is zero at step 0

A family is known before its arguments are walked.  Every rule is exact: what rolls computes what
the T copies compute, and what does not roll is refused where the steps first differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture.rolled import Axis, Delay, Fixed, Input, Rolled, Steps
from snndeploy.frontend.capture.values import Call, Constant, Given, Program, Value, replaced

MOST_ATTEMPTS = 2000  # ways back, of one program: a bound against trees of alternatives
COMMUTE = {"aten.add.Tensor", "aten.mul.Tensor", "aten.bitwise_and.Tensor", "aten.maximum.default"}
SUMS = {"aten.add.Tensor": ("self", "other"), "aten.sub.Tensor": ("self",)}


class _Any:
    """A step that nobody reads."""

    def __repr__(self) -> str:
        return "ANY"


ANY = _Any()
Column = tuple[Any, ...]


class NotRolled(Exception):
    """Where the steps of a loop first differ."""

    def __init__(self, what: str, module: str, step: int | None = None) -> None:
        super().__init__(what)
        self.what, self.module, self.step = what, module, step

    def refusal(self) -> UnsupportedError:
        where = f" of module {self.module!r}" if self.module else ""
        when = "" if self.step is None else f"step {self.step + 1}{where}: "
        reason = "the steps of its loop over time differ"
        return UnsupportedError(
            f"the loop over time{'' if when else where} does not do the same at every step:"
            f" {when}{self.what}; write every step alike, or describe the neuron with"
            " neuron_parameters()",
            node=self.module,
            reason=reason,
        )


class ConstantsDiffer(NotRolled):
    """Steps that read different constants; whoever reads them says who it is."""


class Roller:
    """Families that are known, and which values they hold."""

    def __init__(self, program: Program, timesteps: int) -> None:
        self.program, self.timesteps = program, timesteps
        self.memo: dict[Column, Rolled] = {}
        self.owners: dict[Value, list[tuple[Steps, int]]] = {}
        self.whole: dict[Value, Rolled] = {}
        self.delays: dict[Any, Delay] = {}
        self.single: Callable[[Value], Rolled]  # how a value outside the loop is walked
        self.journal: list[Callable[[], Any]] = []
        self.attempts = 0
        self.failure: NotRolled | None = None

    # alternatives

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """All that was made inside is forgotten when it fails."""
        start = len(self.journal)
        self.attempts += 1
        if self.attempts > MOST_ATTEMPTS:
            raise NotRolled("too many ways to read it were tried", "")
        try:
            yield
        except NotRolled as failure:
            self.failure = self.failure or failure
            while len(self.journal) > start:
                self.journal.pop()()
            raise

    def tried(self, make: Callable[[], Rolled]) -> Rolled | None:
        try:
            with self.attempt():
                return make()
        except NotRolled:
            return None

    def remember(self, found: dict[Any, Any], key: Any, node: Rolled) -> None:
        found[key] = node
        self.journal.append(lambda: found.pop(key, None))

    def own(self, family: Steps) -> None:
        for step, member in enumerate(family.members):
            if member is not ANY and not isinstance(member, Constant):
                owners = self.owners.setdefault(member, [])
                owners.append((family, step))
                self.journal.append(owners.pop)

    # the walk

    def zip(self, column: Column) -> Rolled:
        """Raises NotRolled."""
        if column in self.memo:
            return self.memo[column]
        found = self._same(column) or self._axis(column) or self._known(column)
        found = found or self._shifted(column) or self._made(column)
        self.memo.setdefault(column, found)
        self.journal.append(lambda: self.memo.pop(column, None))
        return found

    def _same(self, column: Column) -> Rolled | None:
        real = [member for member in column if member is not ANY]
        if any(member is not real[0] for member in real):
            return None
        alone = len(real) == 1 and isinstance(real[0], Call)
        return None if alone else self.single(real[0])

    def _axis(self, column: Column) -> Rolled | None:
        first = column[0]
        if not _is_part(first):
            return None
        base, along = first.arguments["self"], first.arguments["dim"]
        if base.shape[along] != self.timesteps:
            return None
        for step, member in enumerate(column):
            own = member is ANY or (
                _is_part(member)
                and member.arguments["self"] is base
                and (member.arguments["dim"], member.arguments["index"]) == (along, step)
            )
            if not own:
                return None
        return Axis(first.shape, first.dtype, first.module, self.single(base), along)

    def _known(self, column: Column) -> Rolled | None:
        """A family, with steps that nobody had read so far where the column has them."""
        found = self._family(column, 0)
        if found is not None:
            return found
        for family, step in self.owners.get(column[0], ()):
            open_steps = [
                i
                for i, (mine, theirs) in enumerate(zip(column, family.members, strict=True))
                if theirs is ANY and mine is not ANY
            ]
            if step or not open_steps or not self._prefix(column, family):
                continue
            if self.tried(lambda family=family, at=open_steps: self._extended(family, at, column)):  # type: ignore[misc]
                return family
        return None

    def _extended(self, family: Steps, at: list[int], column: Column) -> Steps:
        for step in at:
            self._extend(family, step, column[step])
        return family

    def _prefix(self, column: Column, family: Steps) -> bool:
        pairs = zip(column, family.members, strict=True)
        return all(ANY in (mine, theirs) or mine is theirs for mine, theirs in pairs)

    def _extend(self, node: Rolled, step: int, value: Value) -> None:
        """Let a node stand for one step more.  Raises NotRolled where that step differs."""
        if isinstance(node, Delay) and step > 0 and node.source is not None:
            self._extend(node.source, step - 1, value)
            return
        if isinstance(node, Axis) and _is_part(value):
            assert isinstance(value, Call)
            place = value.arguments["dim"], value.arguments["index"]
            if self.whole.get(value.arguments["self"]) is node.source and place == (
                node.along,
                step,
            ):
                return
        if not node.timed and self.single(value) is node:
            return
        if not isinstance(node, Steps):
            raise NotRolled(f"it has {_said(value)} at the last step alone", node.module, step)
        if node.members[step] is value:
            return
        if node.members[step] is not ANY or not isinstance(value, Call):
            raise NotRolled(f"it has {_said(value)} at the last step alone", node.module, step)
        before = node.members
        if value.name != node.call.name:
            raise NotRolled(f"it has {_said(value)} at the last step alone", node.module, step)
        (row,) = self._rows((value,), node.call)
        node.members = (*before[:step], value, *before[step + 1 :])
        self.journal.append(lambda: setattr(node, "members", before))
        owners = self.owners.setdefault(value, [])
        owners.append((node, step))
        self.journal.append(owners.pop)
        for slot, part in enumerate(row):
            if self.tried(partial(self._reaches, node, slot, step, part)) is None:
                self._again(node, slot)

    def _reaches(self, node: Steps, slot: int, step: int, value: Value) -> Rolled:
        source = node.sources()[slot]
        self._extend(source, step, value)
        return source

    def _again(self, node: Steps, slot: int) -> None:
        """Walk one argument anew, of all steps that are known by now."""
        before, sources = node.arguments, node.sources()
        rows = self._rows(node.members, node.call)
        sources[slot] = self.zip(tuple(row[slot] for row in rows))
        walked = iter(sources)
        node.arguments = {
            key: replaced(value, lambda _: next(walked))
            for key, value in node.call.arguments.items()
        }
        self.journal.append(lambda: setattr(node, "arguments", before))

    def _family(self, column: Column, behind: int) -> Steps | None:
        """The family whose members are the column's, `behind` steps earlier."""
        start = next(i for i, member in enumerate(column) if i >= behind and member is not ANY)
        for family, step in self.owners.get(column[start], ()):
            if step != start - behind:
                continue
            pairs = zip(column[behind:], family.members, strict=False)
            if all(mine is ANY or mine is theirs for mine, theirs in pairs):
                return family
        return None

    def _shifted(self, column: Column) -> Rolled | None:
        first = column[0]
        if not isinstance(first, Constant) or all(member is ANY for member in column[1:]):
            return None
        family = self._family(column, 1)
        if family is None:
            return None
        return self.delayed(family, first)

    def delayed(self, source: Rolled, initial: Constant) -> Delay:
        value = initial.uniform
        key = (source, initial if value is None else value)
        if key not in self.delays:
            delay = Delay(source.shape, source.dtype, source.module, initial, source)
            self.remember(self.delays, key, delay)
        return self.delays[key]

    def _made(self, column: Column) -> Rolled:
        first = column[0]
        real = [member for member in column if member is not ANY]
        if all(isinstance(member, Constant) for member in real):
            usual = max(real, key=real.count)
            step = next(i for i, m in enumerate(column) if m is not usual and m is not ANY)
            what = f"{_said(column[step])} where other steps have {_said(usual)}"
            raise ConstantsDiffer(what, "", step)
        failure: NotRolled | None = None
        for rule in (self._call, self._delay, self._cleared, self._elided, self._zero_added):
            try:
                with self.attempt():
                    found = rule(column)
            except NotRolled as again:
                failure = failure or again
                continue
            if found is not None:
                return found
        if failure is None:
            step = next(i for i, member in enumerate(column) if _sort(member) != _sort(real[-1]))
            seen, usual = _said(first if step == 0 else column[step]), _said(real[-1])
            module = getattr(real[-1], "module", "")
            failure = NotRolled(f"it has {seen} where other steps have {usual}", module, step)
        raise failure

    def _call(self, column: Column) -> Rolled | None:
        """Rule 4."""
        real = [member for member in column if member is not ANY]
        exemplar = real[-1]
        if not isinstance(exemplar, Call) or any(_sort(m) != _sort(exemplar) for m in real):
            return None
        if self.timesteps == 2 and len({member.module for member in real}) > 1:
            raise NotRolled("its two steps are of different modules", exemplar.module)
        rows = self._rows(column, exemplar)
        family = Steps(exemplar.shape, exemplar.dtype, exemplar.module, exemplar, column)
        self.remember(self.memo, column, family)
        self.own(family)
        try:
            places = [self.zip(tuple(place)) for place in zip(*rows, strict=True)]
        except ConstantsDiffer as failure:
            what = f"{_said(exemplar)} with {failure.what}{_taking_turns(real)}"
            raise NotRolled(what, exemplar.module, failure.step) from None
        walked = iter(places)
        family.arguments = {
            key: replaced(value, lambda _: next(walked))
            for key, value in exemplar.arguments.items()
        }
        return family

    def _rows(self, column: Column, exemplar: Call) -> list[list[Any]]:
        """The values that every member reads, in one order."""
        usual, rows = _literals(exemplar), []
        width = len(exemplar.sources())
        for step, member in enumerate(column):
            if member is ANY:
                rows.append([ANY] * width)
                continue
            if _literals(member) != usual or member.shape != exemplar.shape:
                what = f"{_said(member)} has other numbers or sizes than at other steps"
                raise NotRolled(what, member.module, step)
            values = member.sources()
            if member.name in COMMUTE and width == 2:
                values = _turned(values, exemplar.sources())
            rows.append(values)
        return rows

    def _delay(self, column: Column) -> Rolled | None:
        """Rule 5."""
        first, rest = column[0], column[1:]
        if not isinstance(first, Constant) or all(member is ANY for member in rest):
            return None
        source = self.zip((*rest, ANY))
        return self.delayed(source, first)

    def _cleared(self, column: Column) -> Rolled | None:
        """A first step where nothing is multiplied by what the others multiply."""
        first, second = column[0], column[1] if len(column) > 1 else ANY
        real = [member for member in column[1:] if member is not ANY]
        zero = isinstance(first, Constant) and first.uniform == 0
        if not zero or not isinstance(second, Call) or second.name != "aten.mul.Tensor":
            return None
        if any(_sort(member) != _sort(second) for member in real):
            return None
        for own, other in (("self", "other"), ("other", "self")):
            found = self.tried(
                lambda own=own, other=other: self._product(column, second, own, other)  # type: ignore[misc]
            )
            if found is not None:
                return found
        return None

    def _product(self, column: Column, second: Call, own: str, other: str) -> Rolled:
        family = Steps(second.shape, second.dtype, second.module, second, column)
        self.remember(self.memo, column, family)
        self.own(family)
        rest = [ANY if member is ANY else member.arguments for member in column[1:]]
        factors = (ANY, *(ANY if a is ANY else a[other] for a in rest))
        known = self._family(factors, 0) or self._same(factors)
        if known is None:
            raise NotRolled("its first step multiplies by zero", second.module, 0)
        mine = self.zip((column[0], *(ANY if a is ANY else a[own] for a in rest)))
        walked = {own: mine, other: known}
        family.arguments = {key: walked[key] for key in second.arguments}
        return family

    def _elided(self, column: Column) -> Rolled | None:
        """Rule 6: the first step's x stands for 0 + x."""
        first = column[0]
        second = column[1] if len(column) > 1 else ANY
        real = [member for member in column[1:] if member is not ANY]
        if not isinstance(second, Call) or second.name not in SUMS or "alpha" in second.arguments:
            return None
        if any(_sort(member) != _sort(second) for member in real) or isinstance(first, Constant):
            return None
        keys = [key for key in SUMS[second.name] if _likeness(first, second.arguments[key])]
        for key in sorted(keys, key=lambda key: -_likeness(first, second.arguments[key])):
            found = self.tried(lambda key=key: self._sum(column, second, key))  # type: ignore[misc]
            if found is not None:
                return found
        return None

    def _sum(self, column: Column, second: Call, own: str) -> Rolled:
        other = "other" if own == "self" else "self"
        zero = Constant(0.0, (), float)
        family = Steps(second.shape, second.dtype, second.module, second, column)
        self.remember(self.memo, column, family)
        self.own(family)
        rest = [ANY if member is ANY else member.arguments for member in column[1:]]
        mine = [ANY if a is ANY else a[own] for a in rest]
        theirs = [ANY if a is ANY else a[other] for a in rest]
        if second.name in COMMUTE:
            for step, member in enumerate(column[1:]):
                if member is not ANY:
                    usual = [second.arguments[own], second.arguments[other]]
                    pair = [mine[step], theirs[step]]
                    mine[step], theirs[step] = _turned(pair, usual)
        walked = {own: self.zip((column[0], *mine)), other: self.zip((zero, *theirs))}
        family.arguments = {key: walked[key] for key in second.arguments}
        return family

    def _zero_added(self, column: Column) -> Rolled | None:
        """A first step that adds zero to what the others have bare."""
        first = column[0]
        if not isinstance(first, Call) or first.name != "aten.add.Tensor":
            return None
        for key, other in (("self", "other"), ("other", "self")):
            added = first.arguments[other]
            if isinstance(added, Constant) and added.uniform == 0:
                bare = first.arguments[key]
                if bare.shape == first.shape:
                    return self.zip((bare, *column[1:]))
        return None


def fixed(value: Constant) -> Fixed:
    return Fixed(value.shape, value.dtype, "", value)


def given(value: Given) -> Input:
    return Input(value.shape, value.dtype, "", value)


def _is_part(value: Any) -> bool:
    return isinstance(value, Call) and value.name == "aten.select.int"


def _sort(value: Any) -> str:
    return value.name if isinstance(value, Call) else type(value).__name__


def _taking_turns(members: list[Any]) -> str:
    """Said of calls that each step makes in a module of its own."""
    modules = list(dict.fromkeys(member.module for member in members))
    if len(modules) != len(members):
        return ""
    return f" (each step has a module of its own, {modules[0]!r} to {modules[-1]!r}; share one)"


def _said(value: Any) -> str:
    if isinstance(value, Call):
        return value.name.removeprefix("aten.").partition(".")[0]
    if isinstance(value, Constant):
        shape = "x".join(map(str, value.shape))
        return f"{value.uniform:g}" if value.uniform is not None else f"another tensor of {shape}"
    return "nothing that is read" if value is ANY else "the input"


def _literals(call: Call) -> Any:
    """What a call has besides values, with the places of values."""

    def literal(argument: Any) -> Any:
        if isinstance(argument, (list, tuple)):
            return tuple(literal(part) for part in argument)
        if isinstance(argument, (Constant, Given, Call)):
            return "value"
        return type(argument).__name__, str(argument)

    return tuple((key, literal(value)) for key, value in call.arguments.items())


def _turned(values: Sequence[Any], usual: Sequence[Any]) -> list[Any]:
    """The two operands in the order in which they are most like the usual ones."""
    straight = sum(_likeness(mine, theirs) for mine, theirs in zip(values, usual, strict=True))
    crossed = _likeness(values[0], usual[1]) + _likeness(values[1], usual[0])
    return [values[1], values[0]] if crossed > straight else list(values)


def _likeness(mine: Any, theirs: Any) -> int:
    """How sure it is that two values are the same one of two steps."""
    if mine is theirs:
        return 4
    if not isinstance(mine, Call) or not isinstance(theirs, Call) or mine.name != theirs.name:
        return 0
    if _is_part(mine):
        same = mine.arguments["self"] is theirs.arguments["self"]
        return 4 if same else 1
    alike = mine.module == theirs.module and _literals(mine) == _literals(theirs)
    constants = [
        one is two
        for one, two in zip(mine.sources(), theirs.sources(), strict=False)
        if isinstance(one, Constant) and isinstance(two, Constant)
    ]
    return 1 + alike + all(constants)
