"""Variables of templates: the ``{%name%}`` syntax of draive 0.90 and newer, which has no escape."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from draive_pg.errors import TemplateInvalid

VARIABLE = re.compile(r"{%([^\s%]+)%}")  # as draive finds it


def variables_of(content: str) -> tuple[str, ...]:
    """Return the names of a template's variables in the order of their first use."""
    return tuple(dict.fromkeys(VARIABLE.findall(content)))


def render(content: str, arguments: Mapping[str, Any], *, name: str) -> str:
    """Return a template with its variables filled, as draive fills them.

    Parameters
    ----------
    content : str
        The template.
    arguments : Mapping[str, Any]
        Values by name: texts, draive's contents, or what ``str`` converts. None counts as missing.
    name : str
        Of the template, for errors.

    Raises
    ------
    TemplateInvalid
        If an argument is missing.
    """
    wanted = variables_of(content)
    if missing := [each for each in wanted if arguments.get(each) is None]:
        unknown = [each for each in arguments if each not in wanted]
        raise TemplateInvalid(
            f"template {name!r:.80} needs {_listed(missing)}, missing from the arguments"
            + (f" (which have {_listed(unknown)}, unknown to the template)" if unknown else "")
        )
    return VARIABLE.sub(lambda match: _text(arguments[match[1]]), content)


def check_known(content: str, arguments: Iterable[str], *, name: str) -> None:
    """Raise TemplateInvalid for arguments that a template does not use."""
    used = variables_of(content)
    if unknown := [each for each in arguments if each not in used]:
        raise TemplateInvalid(
            f"template {name!r:.80} has no variable {_listed(unknown)}; leave out what is not "
            "used, or resolve with strict=False to have it ignored"
        )


def check_used(content: str, declared: Collection[str], *, name: str) -> None:
    """Raise TemplateInvalid for variables of a template that are not declared."""
    if undeclared := [used for used in variables_of(content) if used not in declared]:
        raise TemplateInvalid(
            f"template {name!r:.80} uses {_listed(undeclared)}, which its declaration has not (it "
            f"has {_listed(declared) or 'none'}); correct the variable, or declare it"
        )


def check_variables(content: str, declared: Collection[str], *, name: str) -> None:
    """Raise TemplateInvalid unless the declared variables are those of the template, as draive."""
    check_used(content, declared, name=name)
    used = variables_of(content)
    if unused := [each for each in declared if each not in used]:
        raise TemplateInvalid(
            f"template {name!r:.80} does not use {_listed(unused)}, which its declaration has; "
            "remove it from the declaration, or use it"
        )


def _text(value: Any) -> str:
    """Return the text of an argument: a text, or a content of draive."""
    return value.to_str() if hasattr(value, "to_str") else str(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{name!r:.60}" for name in names)
