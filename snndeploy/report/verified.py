"""What `verify` prints: one line a link, then the first difference and its cause."""

from __future__ import annotations

from snndeploy.report.lines import wrap
from snndeploy.report.terminal import percent, table
from snndeploy.verify import Link, Verification


def verification_text(found: Verification) -> str:
    """At most 90 columns."""
    samples = "sample" if found.samples == 1 else "samples"
    rows = [
        (link.name, _exact(link), percent(link.agreement), f"{link.compared:,}")
        for link in found.links
    ]
    parts = [
        f"{found.program}: {found.samples} {samples}",
        table(("link", "exact", "equal", "compared"), rows),
    ]
    parts += [text for text in map(_details, found.links) if text]
    verdict = "every link that must be exact is" if found.passed else "a link is broken"
    return "\n\n".join([*parts, verdict]) + "\n"


def _exact(link: Link) -> str:
    return {True: "yes", False: "NO", None: "-"}[link.exact]


def _details(link: Link) -> str:
    lines = [wrap(str(finding), "  - ") for finding in link.findings]
    if link.first is not None:
        lines.append(wrap(f"first difference: {link.first}", "  - "))
    if link.layers:
        worst = min(link.layers, key=lambda name: link.layers[name])  # type: ignore[index]
        lines.append(wrap(f"least agreement: {worst} with {percent(link.layers[worst])}", "  - "))
    if link.note:
        lines.append(wrap(link.note, "  - "))
    return "\n".join([link.name, *lines]) if lines else ""
