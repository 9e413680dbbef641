"""What one character is: its UTF-16 units, where a cluster ends, how wide it is, and which must not reach a screen.

Pure. Model text is untrusted: ``clean`` takes away what turns or hides the text around it, and no word.
"""

from __future__ import annotations

import re
import unicodedata

DIACRITICS_KEPT = 4
"""Marks of the diacritics' blocks in a row: Vietnamese needs two, Hebrew with cantillation four."""
MARKS_KEPT = 8
"""Marks of any script in a row: Tibetan stacks need six."""

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_STRANGE_RUN = re.compile(rf"[^\w\s!-~]{{{DIACRITICS_KEPT + 1},}}")
_PLAIN = re.compile("[!-~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]")
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def units(text: str) -> int:
    """Length in UTF-16 code units, which is what Telegram and Discord's clients count."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def reach(text: str, start: int, room: int) -> int:
    """The greatest ``end`` with at most ``room`` UTF-16 units in ``text[start:end]``."""
    chunk = text[start : start + max(room, 0)]
    if not chunk.isascii():
        chunk = chunk.encode("utf-16-le", "surrogatepass")[: 2 * room].decode("utf-16-le", "ignore")
    return start + len(chunk)


def clean(text: str) -> str:
    """Line ends as ``\\n``; without bidi embeddings, overrides and isolates, controls and stacks of marks.

    Directional marks (U+200E, U+200F, U+061C) stay: they turn nothing but themselves. A control becomes a space, so
    that no two words become one.
    """
    text = _LINE_ENDS.sub("\n", text)
    text = _CONTROLS.sub(" ", text)
    if text.isascii():
        return text
    text = _SURROGATES.sub("\ufffd", _BIDI.sub("", text))
    return _STRANGE_RUN.sub(lambda run: _thinned(run[0]), text)


def _thinned(run: str) -> str:
    kept, diacritics, marks = [], 0, 0
    for character in run:
        if unicodedata.category(character) in ("Mn", "Me"):
            marks += 1
            diacritics += _is_diacritic(character)
            if diacritics > DIACRITICS_KEPT or marks > MARKS_KEPT:
                continue
        elif unicodedata.category(character) != "Cf":
            diacritics = marks = 0
        kept.append(character)
    return "".join(kept)


def _is_diacritic(character: str) -> bool:
    code = ord(character)
    return 0x300 <= code <= 0x36F or 0x1AB0 <= code <= 0x1AFF or 0x1DC0 <= code <= 0x1DFF or 0x20D0 <= code <= 0x20FF


def visible(text: str) -> bool:
    """Is there anything to see? A platform refuses a message of blanks and invisible characters."""
    if _PLAIN.search(text):
        return True
    return any(unicodedata.category(c)[0] not in "CZM" and c not in _FILLERS for c in text)


def width(text: str) -> int:
    """Columns in a monospace font: two for wide East Asian characters and emoji, none for marks."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(c) in "WF" else unicodedata.category(c) not in ("Mn", "Me", "Cf")
        for c in text
    )


def _columns(character: str) -> int:
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 0 if unicodedata.category(character) in ("Mn", "Me", "Cf") else 1


def boundary(text: str, at: int) -> bool:
    """May the text be cut before ``at`` without breaking what is read as one character?

    The rules of UAX 29 that matter in practice: marks, emoji with joiners, skin tones and tags, flags, Hangul jamo.
    """
    if not 0 < at < len(text):
        return True
    before, after = text[at - 1], text[at]
    if after < "\u0300":
        return True
    if before == "\u200d" or _extends(after):
        return False
    if _is_flag(after) and _is_flag(before):
        letters = 0
        while letters < at and _is_flag(text[at - 1 - letters]):
            letters += 1
        return letters % 2 == 0
    leading = "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c"
    return not (leading and ("\u1100" <= after <= "\u115f" or "\uac00" <= after <= "\ud7a3"))


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _extends(character: str) -> bool:
    return (
        character in "\u200c\u200d\u0e33\u0eb3\uff9e\uff9f"
        or "\u1160" <= character <= "\u11ff"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or unicodedata.category(character)[0] == "M"
    )
