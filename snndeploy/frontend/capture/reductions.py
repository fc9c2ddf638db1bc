"""How a sequence of steps leaves its loop, and how values outside a loop are walked.

Steps are put together (stacked, written by index, grown) or added up one by one, all or those
behind a burn-in, or one of them is read.  Whatever is none of these is an ordinary call on
ordinary values.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from snndeploy.frontend.capture.alike import ANY, NotRolled, is_part, sort
from snndeploy.frontend.capture.operators import COMPARISONS, ROUNDINGS
from snndeploy.frontend.capture.roll import Roller, fixed, given
from snndeploy.frontend.capture.rolled import Rolled, Steps, Taken, Together, Total, Whole
from snndeploy.frontend.capture.values import Call, Constant, Given, Program, Value, replaced


def roll(program: Program, timesteps: int) -> Rolled:
    """The program's output, rolled.

    Raises:
        NotRolled: the steps differ, or a comparator stays outside the loops.
    """
    walk = _Walk(program, timesteps)
    walk.seed()
    return walk.single(program.output)


class _Walk:
    def __init__(self, program: Program, timesteps: int) -> None:
        self.program, self.timesteps = program, timesteps
        self.roller = Roller(program, timesteps)
        self.roller.single = self.single
        self.users: dict[Value, list[tuple[Call, int]]] = {}
        for call in program.calls:
            for slot, source in enumerate(call.sources()):
                self.users.setdefault(source, []).append((call, slot))
        self.last: dict[Value, Rolled | None] = {}

    def seed(self) -> None:
        """Zip T comparators of one module, and T calls with one weight, in program order."""
        groups: dict[Any, list[Call]] = {}
        for call in self.program.calls:
            if call.name in COMPARISONS | ROUNDINGS:
                groups.setdefault((call.module, call.name, call.shape), []).append(call)
        for calls in groups.values():
            for column in self._columns(calls):
                self.roller.tried(lambda column=column: self.roller.zip(column))  # type: ignore[misc]

    def _columns(self, calls: list[Call]) -> list[tuple[Call, ...]]:
        """T calls that may be one a step: layer after layer in every step, or step after step."""
        count, odd = divmod(len(calls), self.timesteps)
        if odd or self.timesteps == 1:
            return []
        by_step = [tuple(calls[i::count]) for i in range(count)]
        steps = self.timesteps
        by_layer = [tuple(calls[i * steps : (i + 1) * steps]) for i in range(count)]
        return by_step + (by_layer if count > 1 else [])

    # values outside the loop

    def single(self, value: Value) -> Rolled:
        if value not in self.roller.whole:
            node = self._single(value)
            self.roller.remember(self.roller.whole, value, node)
        return self.roller.whole[value]

    def _single(self, value: Value) -> Rolled:
        if isinstance(value, Constant):
            return fixed(value)
        if isinstance(value, Given):
            return given(value)
        for way in (self._together, self._owned, self._total, self._last_read):
            found = way(value)
            if found is not None:
                return found
        if value.name in COMPARISONS and self.timesteps > 1:
            raise self.roller.failure or NotRolled(
                "a comparison stays outside the steps that are alike", value.module
            )
        arguments = {key: replaced(part, self.single) for key, part in value.arguments.items()}
        if value.name in COMPARISONS:  # of a single step, whose states are what they start at
            alone = Steps(value.shape, value.dtype, value.module, value, (value,), arguments)
            return Taken(value.shape, value.dtype, value.module, alone, 0)
        return Whole(value.shape, value.dtype, value.module, value, arguments)

    def _together(self, call: Call) -> Rolled | None:
        if call.name not in ("aten.stack.default", "aten.cat.default"):
            return None
        members, new = call.arguments["tensors"], call.name == "aten.stack.default"
        found = self._consecutive(members)
        if found is None:
            return None
        along = call.arguments.get("dim", 0) % len(call.shape)
        return Together(call.shape, call.dtype, call.module, found[0], along, new, found[1])

    def _consecutive(self, members: list[Any]) -> tuple[Rolled, range] | None:
        """The sequence of which the members are the steps, all of them or some behind each other,
        most likely the last."""
        count, every = len(members), self.timesteps
        alike = len({_origin(one) for one in members}) == 1
        if every == 1 or not 2 <= count <= every:
            return None
        if count < every and not (alike and any(map(self._in_loop, members))):
            return None
        for first in (every - count, *range(every - count)):
            after = every - count - first
            column = (*[ANY] * first, *members, *[ANY] * after)
            steps = self.roller.tried(lambda column=column: self.roller.zip(column))  # type: ignore[misc]
            if steps is not None and steps.timed:
                return steps, range(first, first + count)
        return None

    def _in_loop(self, value: Value) -> bool:
        """It reads a part of a sequence, or a step that is known, not only whole sequences."""
        stack, seen = [value], {value}
        while stack:
            value = stack.pop()
            if not isinstance(value, Call):
                continue
            base = value.arguments.get("self") if is_part(value) else None
            if value in self.roller.owners or (
                base is not None and base.shape[value.arguments["dim"]] == self.timesteps
            ):
                return True
            if len(value.arguments.get("tensors", ())) < self.timesteps:
                fresh = [source for source in value.sources() if source not in seen]
                seen.update(fresh)
                stack += fresh
        return False

    def _owned(self, call: Call) -> Rolled | None:
        for family, step in self.roller.owners.get(call, ()):
            return Taken(call.shape, call.dtype, call.module, family, step)
        return None

    def _total(self, call: Call) -> Rolled | None:
        """acc = acc + s[t], T times, or at some steps behind each other."""
        spine: list[Any] = [call]
        while True:
            before = spine[-1].arguments
            onward = [before.get(key) for key in ("self", "other")]
            sums = [part for part in onward if _is_sum(part)]
            if not _is_sum(spine[-1]) or not sums:
                break
            spine.append(sums[0])
        if not _is_sum(call) or self.timesteps == 1:
            return None
        terms = [self._term(one, two) for one, two in pairwise(spine)]
        if terms and _reads(terms[0], spine[1]):
            return None  # what is added depends on the sum: a leak, v + (x - v) / tau
        for depth in (self.timesteps - 1, self.timesteps):
            found = self._summed(call, spine, terms, depth)
            if found is not None:
                return found
        return self._some_summed(call, spine[-1].arguments, terms)

    def _some_summed(self, call: Call, inner: Any, terms: list[Value]) -> Rolled | None:
        members = [inner["self"], inner["other"], *reversed(terms)]
        members = [one for one in members if not _is_zero(one)]
        if len(members) >= self.timesteps or any(one.shape != call.shape for one in members):
            return None
        found = self._consecutive(members)
        return found and Total(call.shape, call.dtype, call.module, *found)

    def _term(self, call: Call, before: Call) -> Value:
        first, second = call.arguments["self"], call.arguments["other"]
        return second if first is before else first

    def _summed(self, call: Call, spine: list[Call], terms: list[Value], depth: int) -> Any:
        """The sum whose accumulator was `depth` additions ago the first step, or empty."""
        if depth < len(spine):
            start: Any = spine[depth]
            added = terms[:depth]
        elif depth == len(spine):  # the innermost sum is of two terms
            inner = spine[-1].arguments
            start, added = inner["self"], [*terms, inner["other"]]
        else:
            return None
        members = [*reversed(added)]
        if depth == self.timesteps - 1:
            members = [start, *members]
        elif not _is_zero(start):
            return None
        if any(member.shape != call.shape for member in members):
            return None
        steps = self.roller.tried(lambda: self.roller.zip(tuple(members)))
        if steps is None or not steps.timed:
            return None
        return Total(call.shape, call.dtype, call.module, steps, range(self.timesteps))

    def _last_read(self, call: Call) -> Rolled | None:
        steps = self._ends(call)
        if steps is None:
            return None
        return Taken(call.shape, call.dtype, call.module, steps, self.timesteps - 1)

    def _ends(self, value: Value) -> Rolled | None:
        """The steps whose last one the value is, found from what it reads."""
        if value not in self.last:
            self.last[value] = None  # a value is not looked for below itself
            self.last[value] = self._found_end(value)
        return self.last[value]

    def _found_end(self, value: Value) -> Rolled | None:
        if not isinstance(value, Call) or self.timesteps == 1:
            return None
        for family, step in self.roller.owners.get(value, ()):
            if step == self.timesteps - 1:
                return family
        if value.name in ("aten.stack.default", "aten.cat.default"):
            return None
        if self._steps_of_part(value) is not None:
            return self.roller.tried(
                lambda: self.roller.zip(tuple(self._steps_of_part(value) or ()))
            )
        for slot, source in enumerate(value.sources()):
            if self._ends(source) is None:
                continue
            members = self._members(source)
            column = members and self._siblings(value, slot, members)
            steps = column and self.roller.tried(lambda column=column: self.roller.zip(column))  # type: ignore[misc]
            if steps:
                return steps
        return None

    def _steps_of_part(self, value: Value) -> list[Call] | None:
        """All T parts of the value that this is the last part of."""
        if not isinstance(value, Call) or value.name != "aten.select.int":
            return None
        base, along = value.arguments["self"], value.arguments["dim"]
        steps = self.timesteps
        if base.shape[along] != steps or value.arguments["index"] != steps - 1:
            return None
        parts = {
            call.arguments["index"]: call
            for call, _ in self.users.get(base, ())
            if call.name == "aten.select.int" and call.arguments["dim"] == along
        }
        return [parts[i] for i in range(steps)] if len(parts) == steps else None

    def _members(self, source: Value) -> list[Any]:
        parts = self._steps_of_part(source)
        if parts is not None:
            return list(parts)
        for family, step in self.roller.owners.get(source, ()):
            if step == self.timesteps - 1:
                return list(family.members)
        return []

    def _siblings(self, call: Call, slot: int, members: list[Any]) -> tuple[Any, ...] | None:
        """The calls that read the other members as this one reads the last."""
        column: list[Any] = []
        for step, member in enumerate(members[:-1]):
            users = [
                user
                for user, place in self.users.get(member, ())
                if user.name == call.name and place == slot and user.module == call.module
            ]
            if len(users) != 1 and step:
                return None
            column.append(users[0] if len(users) == 1 else member)
        return None if ANY in column else (*column, call)


def _origin(value: Any) -> tuple[int, str, str]:
    """What the value is a part of, by how many selects, and the kind and module of that."""
    depth = 0
    while is_part(value):
        value, depth = value.arguments["self"], depth + 1
    return depth, sort(value), getattr(value, "module", "")


def _reads(value: Value, before: Call) -> bool:
    """The value is computed from a call made before it."""
    stack, seen = [value], {value}
    while stack:
        value = stack.pop()
        if value is before:
            return True
        if isinstance(value, Call) and value.number > before.number:
            fresh = [source for source in value.sources() if source not in seen]
            seen.update(fresh)
            stack += fresh
    return False


def _is_zero(value: Value) -> bool:
    return isinstance(value, Constant) and value.uniform == 0


def _is_sum(value: Any) -> bool:
    return (
        isinstance(value, Call)
        and value.name == "aten.add.Tensor"
        and "alpha" not in value.arguments
    )
