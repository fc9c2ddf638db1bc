"""The one text door: what a terminal, a page or a text file of ours may hold of foreign text.

Names come from files of strangers.  Control characters move cursors and clear screens, and
characters of formatting (U+202E) reorder what is read; both are shown as their escape instead.
"""

from __future__ import annotations

import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode's general categories


def printable(text: str, keep: str = "\n") -> str:
    """The text with what no reader would see escaped (\\x1b, \\u202e), but for `keep`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or _seen(c) else ascii(c)[1:-1] for c in text)


def _seen(character: str) -> bool:
    return unicodedata.category(character) not in HIDDEN
