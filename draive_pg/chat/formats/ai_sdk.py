"""Vercel AI SDK: ``toolInvocations`` of version 4, ``parts`` of version 5.

The messages are read by `draive_pg.chat.roles`, and their parts by `draive_pg.chat.parts`.
"""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

from typing import Any

from draive_pg.chat.formats.format import Format, items


def _is_message(value: Any) -> bool:
    match value:
        case {"role": str(), "parts": [{"type": str()}, *_]}:
            return True
        case {"role": str(), "toolInvocations": list()}:
            return True
        case {"role": str(), "content": list() as content}:
            return any(
                isinstance(part, dict) and part.get("type") in ("tool-call", "tool-result")
                for part in content
            )
        case _:
            return False


FORMAT = Format(
    "ai-sdk",
    "Vercel AI SDK messages, versions 4 and 5",
    (items("messages", "objects with a role and parts or toolInvocations", _is_message),),
    lambda fields, reader: reader.logged(fields),
)
