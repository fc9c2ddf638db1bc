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

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from snndeploy.frontend.capture.alike import (
    ANY,
    Column,
    NotRolled,
    is_part,
    literals,
    said,
    sort,
    turned,
    unlike,
)
from snndeploy.frontend.capture.first_step import COMMUTE, FIRST_STEP
from snndeploy.frontend.capture.numbers_by_step import (
    numbers_differ,
    numbers_of,
    refuse_numbers,
)
from snndeploy.frontend.capture.rolled import Axis, Delay, Fixed, Input, Rolled, Steps
from snndeploy.frontend.capture.values import Call, Constant, Given, Program, Value, replaced

MOST_ATTEMPTS = 2000  # ways back, of a program of as many calls: against trees of alternatives


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
        self.attempts, self.most = 0, max(MOST_ATTEMPTS, len(program.calls))
        self.failure: NotRolled | None = None

    # alternatives

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """All that was made inside is forgotten when it fails."""
        start = len(self.journal)
        self.attempts += 1
        if self.attempts > self.most:
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
        found = self.same(column) or self._axis(column) or self._known(column)
        found = found or self._shifted(column) or self._made(column)
        self.memo.setdefault(column, found)
        self.journal.append(lambda: self.memo.pop(column, None))
        return found

    def same(self, column: Column) -> Rolled | None:
        real = [member for member in column if member is not ANY]
        if any(member is not real[0] for member in real):
            return None
        alone = len(real) == 1 and isinstance(real[0], Call)
        return None if alone else self.single(real[0])

    def _axis(self, column: Column) -> Rolled | None:
        first = next(member for member in column if member is not ANY)
        if not is_part(first):
            return None
        base, along = first.arguments["self"], first.arguments["dim"]
        if base.shape[along] != self.timesteps:
            return None
        for step, member in enumerate(column):
            own = member is ANY or (
                is_part(member)
                and member.arguments["self"] is base
                and (member.arguments["dim"], member.arguments["index"]) == (along, step)
            )
            if not own:
                return None
        return Axis(first.shape, first.dtype, first.module, self.single(base), along)

    def _known(self, column: Column) -> Rolled | None:
        """A family, with steps that nobody had read so far where the column has them."""
        found = self.family(column, 0)
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
        if isinstance(node, Axis) and is_part(value):
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
            raise NotRolled(f"it has {said(value)} at the last step alone", node.module, step)
        if node.members[step] is value:
            return
        if node.members[step] is not ANY or not isinstance(value, Call):
            raise NotRolled(f"it has {said(value)} at the last step alone", node.module, step)
        before = node.members
        if value.name != node.call.name:
            raise NotRolled(f"it has {said(value)} at the last step alone", node.module, step)
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

    def family(self, column: Column, behind: int) -> Steps | None:
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
        family = self.family(column, 1)
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
            numbers = numbers_of(column)
            raise NotRolled(f"it has {numbers.what}", "", numbers.step)
        failure: NotRolled | None = None
        for rule in (Roller._call, *FIRST_STEP):
            try:
                with self.attempt():
                    found = rule(self, column)
            except NotRolled as again:
                failure = failure or again
                continue
            if found is not None:
                return found
        if failure is None:
            step = next(i for i, member in enumerate(column) if sort(member) != sort(real[-1]))
            seen, usual = said(first if step == 0 else column[step]), said(real[-1])
            module = getattr(real[-1], "module", "")
            failure = NotRolled(f"it has {seen} where other steps have {usual}", module, step)
        raise failure

    def _call(self, column: Column) -> Rolled | None:
        """Rule 4."""
        real = [member for member in column if member is not ANY]
        exemplar = real[-1]
        if not isinstance(exemplar, Call) or any(sort(m) != sort(exemplar) for m in real):
            return None
        if self.timesteps == 2 and len({member.module for member in real}) > 1:
            raise NotRolled("its two steps are of different modules", exemplar.module)
        rows = self._rows(column, exemplar)
        family = Steps(exemplar.shape, exemplar.dtype, exemplar.module, exemplar, column)
        self.remember(self.memo, column, family)
        self.own(family)
        columns = [tuple(place) for place in zip(*rows, strict=True)]
        places = [numbers_of(own) if numbers_differ(own) else self.zip(own) for own in columns]
        refuse_numbers(exemplar, places, real)
        walked = iter(places)
        family.arguments = {
            key: replaced(value, lambda _: next(walked))
            for key, value in exemplar.arguments.items()
        }
        return family

    def _rows(self, column: Column, exemplar: Call) -> list[list[Any]]:
        """The values that every member reads, in one order."""
        usual, rows = literals(exemplar), []
        width = len(exemplar.sources())
        for step, member in enumerate(column):
            if member is ANY:
                rows.append([ANY] * width)
                continue
            if literals(member) != usual or member.shape != exemplar.shape:
                raise NotRolled(unlike(member, exemplar), member.module, step)
            values = member.sources()
            if member.name in COMMUTE and width == 2:
                values = turned(values, exemplar.sources())
            rows.append(values)
        return rows


def fixed(value: Constant) -> Fixed:
    return Fixed(value.shape, value.dtype, "", value)


def given(value: Given) -> Input:
    return Input(value.shape, value.dtype, "", value)
