"""Templates of prompts: draive's ``{name}`` syntax, without reach into the arguments."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from string import Formatter
from typing import Any, cast

from draive_pg.errors import TemplateInvalid, warn

# A width or precision that would make a text of megabytes out of a few characters.
HUGE = re.compile(r"\d{5}")


def render(content: str, arguments: Mapping[str, Any], *, name: str) -> str:
    """Return a prompt with its placeholders filled, as ``str.format_map`` fills them.

    Parameters
    ----------
    content : str
        The template. ``{{`` and ``}}`` stand for braces.
    arguments : Mapping[str, Any]
        Values by name. Those that the template does not name are ignored, as draive does; see
        `check_known`.
    name : str
        Of the instructions, for errors.

    Raises
    ------
    TemplateInvalid
        If an argument is missing, a placeholder has no name or asks for an attribute or an item,
        or the braces are not balanced.
    """
    wanted = placeholders(content, name=name)
    if missing := [argument for argument in wanted if argument not in arguments]:
        unknown = [argument for argument in arguments if argument not in wanted]
        raise TemplateInvalid(
            f"instructions {name!r:.80} need {_listed(missing)}, missing from the arguments"
            + (f" (which have {_listed(unknown)}, unknown to the instructions)" if unknown else "")
        )
    try:
        return content.format_map(arguments)
    except Exception as error:  # of the arguments' own formatting, too
        raise TemplateInvalid(f"instructions {name!r:.80} cannot be rendered: {error}") from error


def check_known(
    content: str, arguments: Iterable[str], declared: Collection[str], *, name: str
) -> None:
    """Raise TemplateInvalid for arguments that a prompt neither uses nor declares."""
    used = placeholders(content, name=name)
    if unknown := [each for each in arguments if each not in used and each not in declared]:
        raise TemplateInvalid(
            f"instructions {name!r:.80} have no placeholder for {_listed(unknown)}; leave out what "
            "is not used, or resolve with strict=False to have it ignored"
        )


def check_declared(content: str, arguments: Collection[str], *, name: str) -> None:
    """Raise TemplateInvalid for a prompt that is malformed or uses what it does not declare.

    Without declared arguments nothing is checked: such a prompt may never be resolved, only loaded.
    """
    if not arguments:
        return
    if undeclared := [used for used in placeholders(content, name=name) if used not in arguments]:
        raise TemplateInvalid(
            f"instructions {name!r:.80} use {_listed(undeclared)}, which their declaration has "
            f"not (it has {_listed(arguments)}); correct the placeholder or declare the argument, "
            "and write a literal brace twice: {{ or }}"
        )


def declared_names(arguments: object) -> tuple[str, ...]:
    """Return the names of stored declared arguments; skip what draive could not have written."""
    if not isinstance(arguments, list):
        return ()
    named = map(_name, cast("list[object]", arguments))
    return tuple(name for name in named if name is not None)


def malformed(content: str, *, name: str) -> str | None:
    """Return why a template cannot be filled; None if it can."""
    try:
        placeholders(content, name=name)
    except TemplateInvalid as error:
        return str(error)
    return None


def report_malformed(content: str, *, name: str, strict: bool) -> None:
    """Warn of a template that cannot be filled; with ``strict``, raise TemplateInvalid."""
    if problem := malformed(content, name=name):
        if strict:
            raise TemplateInvalid(problem)
        warn(problem, UserWarning)


def well_formed(content: str) -> tuple[str, ...] | None:
    """Return a template's placeholders, or None where it is malformed."""
    try:
        return placeholders(content, name="")
    except TemplateInvalid:
        return None


def placeholders(content: str, *, name: str) -> tuple[str, ...]:
    """Return the names of a template's placeholders in the order of their first use.

    Raises
    ------
    TemplateInvalid
        If a placeholder is not a plain name, is formatted by another placeholder or to more than
        9999 characters, or the braces are not balanced.
    """
    try:
        fields = dict.fromkeys(_fields(content))
    except ValueError as error:
        raise TemplateInvalid(
            f"instructions {name!r:.80} are malformed ({error}); "
            "write a literal brace twice: {{ or }}"
        ) from error
    for field in fields:
        if not field.isidentifier():
            raise TemplateInvalid(
                f"instructions {name!r:.80} have the placeholder {{{field:.60}}}, which is not a "
                "name; attributes and items cannot be reached, and a literal brace is written "
                "twice: {{ or }}"
            )
    return tuple(fields)


def _fields(content: str) -> Iterator[str]:
    try:
        parsed = list(Formatter().parse(content))
    except ValueError:
        raise ValueError("a brace is unbalanced, or a placeholder is incomplete") from None
    for _, field, specification, _ in parsed:
        if field is None:
            continue
        if specification and ("{" in specification or HUGE.search(specification)):
            raise ValueError(f"a placeholder cannot be formatted as {specification!r:.60}")
        yield field


def _name(argument: object) -> str | None:
    match argument:
        case {"name": str(name)}:
            return name
        case _:
            return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{name!r:.60}" for name in names)
