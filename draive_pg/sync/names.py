"""Map names to relative file paths and back, portably: any name, any operating system.

A slash in a name separates folders. Characters that some system forbids or changes are
percent-encoded as UTF-8: ``a:b`` becomes ``a%3ab``, ``..`` becomes ``%2e.``. An empty part is
written ``%-``; a part that is too long is split over folders whose names end with ``%``.
"""

import re
import unicodedata
from collections.abc import Callable
from pathlib import PurePosixPath

from draive_pg.errors import FileInvalid

MAX_PART = 180  # bytes; systems allow 255, minus room for suffixes and temporary names

FORBIDDEN = frozenset('<>:"\\|?*%')  # on Windows; and our own escape character
# Not read: README is about the folder.
README = re.compile(r"(?i)readme(\.|$)")
DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")

SUFFIX = re.compile(r"(?i)\.(md|json|toml)$")

# What needs no escape, unless it is one of these.
PLAIN = re.compile(rf"[a-zA-Z0-9_][a-zA-Z0-9_-]{{0,{MAX_PART - 1}}}")

ESCAPES = re.compile(r"(?:%[0-9a-fA-F]{2})+")
EMPTY = "%-"
CONTINUED = "%"


def path_of_name(name: str, suffix: str, *, plain: bool = True) -> PurePosixPath:
    """Return the relative path of a name's file.

    Parameters
    ----------
    name : str
        Any text.
    suffix : str
        The suffix of the file, with its dot.
    plain : bool
        If False, escape letters, too, so that paths are unique on case-insensitive file systems.
    """
    parts = [piece for part in name.split("/") for piece in _pieces(part, plain=plain)]
    # A folder must not have the name of a possible file.
    folders = [SUFFIX.sub(lambda end: f"%2e{end[1]}", part) for part in parts[:-1]]
    return PurePosixPath(*folders, parts[-1] + suffix)


def name_of_path(path: PurePosixPath, suffix: str) -> str:
    """Return the name of a relative path; the inverse of `path_of_name`.

    Raises
    ------
    FileInvalid
        If an escape sequence is invalid, or the path is not UTF-8.
    """
    text = str(path)
    if text.isascii() and "%" not in text:
        return text.removesuffix(suffix)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise FileInvalid(f"{text!r:.200}: the name of the file is not UTF-8: rename it")
    # macOS may return names decomposed (NFD).
    parts = [unicodedata.normalize("NFC", part) for part in path.parts]
    parts[-1] = parts[-1].removesuffix(suffix)
    name = ""
    for part in parts[:-1]:
        name += _part(part.removesuffix(CONTINUED), path)
        name += "" if part.endswith(CONTINUED) else "/"
    return name + _part(parts[-1], path)


def _part(part: str, path: PurePosixPath) -> str:
    return "" if part == EMPTY else _unescaped(part, path)


def _pieces(part: str, *, plain: bool) -> list[str]:
    """Escape a part of a name, and split it between characters if it is too long."""
    if not part:
        return [EMPTY]
    if plain and PLAIN.fullmatch(part):
        return [_with_safe_ends(part)]
    characters = [_escaped(each, keep=str.isprintable if plain else _is_plainest) for each in part]
    if not unicodedata.is_normalized("NFC", "".join(characters)):
        characters = [_escaped(each, keep=str.isascii) for each in part]
    pieces = [""]
    for character in characters:
        if len((pieces[-1] + character).encode()) > MAX_PART:
            pieces.append("")
        pieces[-1] += character
    safe = [_with_safe_ends(piece) for piece in pieces]
    return [*(piece + CONTINUED for piece in safe[:-1]), safe[-1]]


def _is_plainest(character: str) -> bool:
    return character.isascii() and not character.isalpha()


def _escaped(character: str, *, keep: Callable[[str], bool]) -> str:
    safe = character.isprintable() and character not in FORBIDDEN and keep(character)
    return character if safe else _percent(character)


def _with_safe_ends(piece: str) -> str:
    """Escape a first or last character that hides the file, or that Windows drops."""
    if piece[0] in ". -" or DEVICES.match(piece) or README.match(piece):
        piece = _percent(piece[0]) + piece[1:]
    return piece[:-1] + _percent(piece[-1]) if piece[-1] in ". " else piece


def _percent(character: str) -> str:
    return "".join(f"%{byte:02x}" for byte in character.encode())


def _unescaped(part: str, path: PurePosixPath) -> str:
    try:
        if "%" not in ESCAPES.sub("", part):
            return ESCAPES.sub(lambda run: bytes.fromhex(run[0].replace("%", "")).decode(), part)
    except UnicodeDecodeError:
        pass
    raise FileInvalid(
        f"{str(path)!r:.200}: in a file name, % must be followed by two hexadecimal digits of "
        "UTF-8; write %25 for a literal %"
    )
