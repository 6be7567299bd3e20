"""Alpaca: instruction, input and output."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator
from typing import Any

from draive_pg.chat.conversation import Conversation, Message
from draive_pg.chat.formats.format import Fields, Format, Reader, has
from draive_pg.chat.roles import system, text_message

READ = ("instruction", "input", "output", "response", "system", "history")


def _read(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    answer = next(
        fields[name] for name in ("output", "response") if isinstance(fields.get(name), str)
    )
    question = "\n\n".join(
        text
        for name in ("instruction", "input")
        if isinstance(text := fields.get(name), str) and text
    )
    messages: list[Message] = []
    if isinstance(text := fields.get("system"), str) and text:
        messages.append(system(text))
    earlier: Any = fields.get("history") or ()
    for asked, answered in earlier:
        messages += [text_message("user", asked), text_message("assistant", answered)]
    messages += [text_message("user", question), text_message("assistant", answer)]
    yield reader.conversation(fields, messages, *READ)


FORMAT = Format(
    "alpaca",
    "Alpaca instructions",
    (has("instruction", str), has("output", str)),
    _read,
)
