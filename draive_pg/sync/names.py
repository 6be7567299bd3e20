"""Names as paths of files, and back: every name has one on every system, within its folder.

Slashes of a name make folders. What a system may refuse or read otherwise is written as the
percent-encoding of its UTF-8: ``a:b`` as ``a%3ab``, ``..`` as ``%2e.``. ``%-`` is an empty part,
and a folder whose name ends with ``%`` is only the beginning of a part too long for one.
"""

import re
import unicodedata
from collections.abc import Callable
from pathlib import PurePosixPath

from draive_pg.errors import FileInvalid

__all__ = ("name_of", "path_of")

LONGEST = 180  # bytes of a part; systems take 255, and temporary names and endings need some

FORBIDDEN = frozenset('<>:"\\|?*%')  # by Windows, and ours
DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")

ENDING = re.compile(r"(?i)\.(md|json|toml)$")

ESCAPES = re.compile(r"(?:%[0-9a-fA-F]{2})+")
EMPTY = "%-"
CONTINUED = "%"


def path_of(name: str, suffix: str, *, plain: bool = True) -> PurePosixPath:
    """Return the relative path of a name's file.

    Parameters
    ----------
    name : str
        Any text.
    suffix : str
        Of the file, with its dot.
    plain : bool
        False escapes all letters, too: to a system that disregards case, such a path is one with
        no other name's.
    """
    parts = [piece for part in name.split("/") for piece in _pieces(part, plain=plain)]
    # A folder is not named as a file might be.
    folders = [ENDING.sub(lambda end: f"%2e{end[1]}", part) for part in parts[:-1]]
    return PurePosixPath(*folders, parts[-1] + suffix)


def name_of(path: PurePosixPath, suffix: str) -> str:
    """Return the name whose file has the relative path.

    Raises
    ------
    FileInvalid
        If no name has it.
    """
    # Some systems keep letters and their accents apart, and give them back so.
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
    """Escape a part of a name, and cut it between characters where it is too long."""
    if not part:
        return [EMPTY]
    characters = [_escaped(each, keep=_is_plain if plain else _is_plainest) for each in part]
    if not unicodedata.is_normalized("NFC", "".join(characters)):
        characters = [_escaped(each, keep=str.isascii) for each in part]
    pieces = [""]
    for character in characters:
        if len((pieces[-1] + character).encode()) > LONGEST:
            pieces.append("")
        pieces[-1] += character
    safe = [_with_safe_ends(piece) for piece in pieces]
    return [*(piece + CONTINUED for piece in safe[:-1]), safe[-1]]


def _is_plain(character: str) -> bool:
    return character.isprintable()


def _is_plainest(character: str) -> bool:
    return character.isascii() and not character.isalpha()


def _escaped(character: str, *, keep: Callable[[str], bool]) -> str:
    safe = character.isprintable() and character not in FORBIDDEN and keep(character)
    return character if safe else _percent(character)


def _with_safe_ends(piece: str) -> str:
    """Escape what hides a file at its beginning or leads elsewhere, or is dropped at its end."""
    if piece[0] in ". -" or DEVICES.match(piece):
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
        f"{str(path)!r:.200}: in the name of a file % begins the two digits of a byte of UTF-8; "
        "a % of its own is written %25"
    )
