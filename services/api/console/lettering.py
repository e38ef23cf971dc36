"""How wide a text is, rather too wide than too narrow, and as much of it as fits. Knows no font file.

The widths are those of DejaVu Sans, which is wider than what other systems have for `system-ui`.
"""

from itertools import accumulate
from typing import Final
from unicodedata import combining, east_asian_width

_GROUPS: Final = {
    0.29: "'ijlIJ",
    0.35: " ,./:;\\|f",
    0.41: "-()[]t!r",
    0.5: '"*_`',
    0.55: "szc?",
    0.6: "LFkvxyP",
    0.64: "TYaoeESbdghnpqu0123456789${}",
    0.7: "KAVBRXZC",
    0.79: "UHNDG&OQ",
    0.84: "w#+<=>^~",
    1.0: "MmW%@",
}
_WIDTHS: Final = {letter: width for width, letters in _GROUPS.items() for letter in letters}
"""Of a letter, as a part of the height of letters."""


def _wide(letter: str) -> float:
    known = _WIDTHS.get(letter)
    if known is not None:
        return known
    if combining(letter):
        return 0.0
    return 1.05 if east_asian_width(letter) in "WF" or letter.isupper() else 0.86


def width(text: str, height: float) -> float:
    """Return how wide a text is, in CSS pixels, in letters of this height."""
    return sum(height * _wide(letter) for letter in text)


def fitted(text: str, room: float, height: float) -> str:
    """Return the text, or as much of it as fits into `room`, with an ellipsis; both are in CSS pixels."""
    widths = list(accumulate(height * _wide(letter) for letter in text))
    if not widths or widths[-1] <= room:
        return text
    left = room - height
    kept = sum(width <= left for width in widths)
    return text[:kept].rstrip() + "…"
