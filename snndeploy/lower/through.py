"""A connection with one more linear operation behind it: what `lower` does to every term."""

from __future__ import annotations

from snndeploy.connections import Connection, Shape
from snndeploy.lower.real_network import Term
from snndeploy.ops.form import Form


class Behind:
    """What a linear node does to one of its inputs, applied to connections that end there.

    Raises:
        NotComposable: no connection stands for it.
    """

    def __init__(self, form: Form) -> None:
        self.form = form
        self.made: dict[tuple[int, Shape], Connection] = {}

    def term(self, term: Term, source: Shape) -> Term:
        """The operation behind a connection from a population of shape `source`.

        One kernel that several populations share stays one.
        """
        key = (id(term.connection), source)
        if key not in self.made:
            self.made[key] = self.form.behind(term.connection, source)
        return Term(term.source, self.made[key])
