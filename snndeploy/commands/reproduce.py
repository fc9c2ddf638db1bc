"""The papers' printed numbers beside ours, row by row."""

from __future__ import annotations

from pathlib import Path

import click

from snndeploy.commands.console import Command, check_json, clear_step, json_option, show, show_step


@click.command(cls=Command)
@click.argument("rows", nargs=-1, metavar="[ROW|all]...")
@json_option("the rows")
def reproduce(rows: tuple[str, ...], json_file: Path | None) -> None:
    """The numbers that the papers print, each beside ours.

    ROW is a row of docs/reproduction.md, "P4.1", or a group of them, "P4"; "all" prints that page,
    in a minute or two.  Without a row they are listed.
    """
    check_json(json_file)
    from snndeploy.papers import asked, computed
    from snndeploy.papers.rows import ROWS
    from snndeploy.papers.text import lines, listing, page

    if not rows:
        listed = [{"row": row.id, "quantity": row.quantity} for row in ROWS]
        show(listing(ROWS), {"schema": "snndeploy.reproduction/1", "rows": listed}, json_file)
        return
    found = list(computed(asked(rows), show_step))
    clear_step()
    text = page(found) if len(found) == len(ROWS) else lines(found)
    record = {"schema": "snndeploy.reproduction/1", "rows": [row.as_json() for row in found]}
    show(text, record, json_file)
