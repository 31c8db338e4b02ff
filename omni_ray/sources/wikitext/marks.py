"""Characters of the private use area that stand for something between the steps of rendering."""

from __future__ import annotations

import re

PRIVATE = re.compile("[\ue000-\ue00f\0]")
"""What is taken out of a page first, so that a page cannot hold our own marks."""
HOLE = re.compile("\ue000([0-9]+)\ue001")
"""A template that no table knows, by its number: see :mod:`.unknown`."""
LOST = "\ue002"
"""Part of the sentence is missing here: the sentence is dropped."""
APART = "\ue003"
"""A space after a digit, else nothing: ``5{{frac|1|7}}``."""
GUARD = "\ue004"
"""Nothing; it keeps later steps from reading markup or an address into text that is none."""


def hole(number: int) -> str:
    """The mark for the unknown template of this number."""
    return f"\ue000{number}\ue001"
