"""The twins: what `Client` has, `AsyncClient` has, named, typed and documented alike."""

import inspect
import re

import pytest

from tests.twins import TWINS

PAIRS = [(getattr(module, name), getattr(module, f"Async{name}")) for name, module in TWINS.items()]
both = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=TWINS)


def members(cls: type) -> dict[str, object]:
    return {
        name: member
        for name, member in vars(cls).items()
        if not name.startswith("_") or name in ("__init__", "__repr__")
    }


def without_colour(annotation: object) -> str:
    text = str(annotation).replace("Async", "").replace("asynchronous", "sync")
    return re.sub(r"\w*Generator\[(.*?)(, None, None)?\]", r"Generator[\1]", text)


def test_every_class_has_a_twin_beside_it() -> None:
    for name, module in TWINS.items():
        assert f"Async{name}" in module.__all__
        assert len(module.__all__) == 2 * sum(TWINS[other] is module for other in TWINS)


@both
def test_twins_have_the_same_members_with_the_same_signatures(ours: type, theirs: type) -> None:
    assert members(ours).keys() == members(theirs).keys()
    for member, function in members(ours).items():
        if not inspect.isfunction(function):
            continue
        ours_signature = inspect.signature(function)
        theirs_signature = inspect.signature(members(theirs)[member])
        for ours_parameter, theirs_parameter in zip(
            ours_signature.parameters.values(), theirs_signature.parameters.values(), strict=True
        ):
            assert ours_parameter.name == theirs_parameter.name, (ours, member)
            assert ours_parameter.kind == theirs_parameter.kind, (ours, member)
            assert ours_parameter.default == theirs_parameter.default, (ours, member)
            assert without_colour(ours_parameter.annotation) == without_colour(
                theirs_parameter.annotation
            ), (ours, member)
        assert without_colour(ours_signature.return_annotation) == without_colour(
            theirs_signature.return_annotation
        ), (ours, member)


@both
def test_twins_share_their_documentation(ours: type, theirs: type) -> None:
    assert theirs.__doc__ == ours.__doc__
    for member, function in members(ours).items():
        if inspect.isfunction(function) and not member.startswith("_"):
            assert function.__doc__, (ours, member)
            assert getattr(theirs, member).__doc__ == function.__doc__, (ours, member)


@both
def test_what_does_io_awaits_in_the_twin(ours: type, theirs: type) -> None:
    for member, function in members(ours).items():
        if inspect.isfunction(function) and "self._database." in inspect.getsource(function):
            source = inspect.getsource(getattr(theirs, member))
            awaited = source.count("await ") + source.count("async with ")
            waits = ("run", "read", "ask", "carry_out", "close", "transaction")
            asked = sum(source.count(f"self._database.{name}(") for name in waits)
            assert awaited == asked, (ours, member)
