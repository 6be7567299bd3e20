"""Gemini: ``contents`` with ``parts``; and prompts of Google AI Studio."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from collections.abc import Iterator, Mapping
from dataclasses import replace

from draive_pg.chat.conversation import Conversation, Message, Thought
from draive_pg.chat.formats.format import Fields, Format, Need, Reader, joined
from draive_pg.chat.parts import without
from draive_pg.chat.roles import read_message


def _read_studio(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    messages = [_chunk(chunk) for chunk in fields["chunkedPrompt"]["chunks"]]
    about = without(fields, "chunkedPrompt", "systemInstruction", "runSettings")
    settings = fields.get("runSettings") or {}
    about |= {"model": settings.get("model")} if isinstance(settings, dict) else {}
    asked = reader.exchange({"systemInstruction": fields.get("systemInstruction")}).asked
    yield reader.conversation(about, joined([*asked, *messages]))


def _chunk(chunk: Fields) -> Message:
    # the parts repeat the text in pieces
    message = read_message(without(chunk, "isThought", *(("parts",) if "text" in chunk else ())))
    if chunk.get("isThought") is not True:
        return message
    parts = [block for block in message.blocks if isinstance(block, Mapping)]
    return replace(message, blocks=[Thought(parts)], is_piece=True)


def _has_chunks(fields: Fields) -> bool:
    match fields:
        case {"chunkedPrompt": {"chunks": list()}}:
            return True
        case _:
            return False


FORMAT = Format(
    "gemini",
    "Gemini contents: requests and responses",
    (
        Need(
            "contents or candidates, with parts",
            lambda fields: any(
                isinstance(each.get(name), list)
                for each in (fields, *(v for v in fields.values() if isinstance(v, dict)))
                for name in ("contents", "candidates")
            ),
        ),
    ),
    lambda fields, reader: reader.logged(fields),
)

STUDIO = Format(
    "ai-studio",
    "Google AI Studio prompt",
    (Need("chunkedPrompt with chunks", _has_chunks),),
    _read_studio,
)
