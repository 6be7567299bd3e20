"""Gemini: ``contents`` with ``parts``; and prompts of Google AI Studio."""

# JSON of any shape is matched here.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownLambdaType=false

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import unescape
from typing import Any

from draive_pg.chat.conversation import Conversation, Message, Thought
from draive_pg.chat.formats.format import Fields, Format, Need, Reader, items, joined, with_keys
from draive_pg.chat.parts import end_of_last, rest, without
from draive_pg.chat.roles import read_message, text_message
from draive_pg.chat.times import read_time
from draive_pg.codec.validation import shown

# Chunks of AI Studio that are no text: the part of Gemini, or where their identifier is valid.
FILES: Mapping[str, str] = {
    "inlineFile": "inlineData",
    "inlineImage": "inlineData",
    "inlineAudio": "inlineData",
    "executableCode": "executableCode",
    "codeExecutionResult": "codeExecutionResult",
    "driveImage": "https://drive.google.com/open?id=",
    "driveDocument": "https://drive.google.com/open?id=",
    "driveAudio": "https://drive.google.com/open?id=",
    "driveVideo": "https://drive.google.com/open?id=",
    "youtubeVideo": "https://www.youtube.com/watch?v=",
}
# Fields of a streamed answer.
CHUNK = frozenset(
    {
        "candidates",
        "createTime",
        "modelVersion",
        "promptFeedback",
        "responseId",
        "usageMetadata",
    }
)
PROMPTED = "Prompted "
BREAK = re.compile(r"<br\s*/?>|</(?:p|li|h[1-6]|tr|div|pre)>", re.IGNORECASE)
TAG = re.compile(r"<[^>]*>")
TAG_END = re.compile(">")


def _read(fields: Fields, reader: Reader) -> Iterable[Conversation]:
    """Read a request or response; the request of a batch file is a field of its own."""
    fields = _with_roles(fields)
    if isinstance(request := fields.get("request"), Mapping):
        fields = {**fields, "request": _with_roles(request)}
    return reader.logged(fields)


def _with_roles(fields: Fields) -> Fields:
    """Return a request with the role of each of its contents, which is by default the user."""
    contents = fields.get("contents")
    if isinstance(contents, Mapping):
        contents = [contents]
    if not isinstance(contents, list):
        return fields
    has_parts = with_keys("parts")
    spoken = [{"role": "user", **each} if has_parts(each) else each for each in contents]
    return {**fields, "contents": spoken}


def _read_activity(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    title = str(fields["title"])
    answers = [each.get("html") for each in fields.get("safeHtmlItem") or ()]
    if not answers and not title.startswith(PROMPTED):
        raise ValueError(f"an activity without a prompt: {shown(title)}")
    created = read_time(fields.get("time"))
    messages = [text_message("user", title.removeprefix(PROMPTED))]
    messages += (text_message("assistant", _text_of(str(html))) for html in answers)
    yield reader.conversation(
        {**fields, "created": fields.get("time")},
        [replace(message, created=created) for message in messages],
        *("title", "time", "safeHtmlItem"),
    )


def _text_of(html: str) -> str:
    """Return the text of HTML, one line per block."""
    lines = BREAK.sub("\n", html)
    end = end_of_last(TAG_END, lines)
    text = TAG.sub("", lines[:end]) + lines[end:]
    return re.sub(r"\n{3,}", "\n\n", unescape(text)).strip()


def _is_activity(fields: Fields) -> bool:
    header = str(fields.get("header")).replace("-", " ")
    return header in ("Gemini Apps", "Bard") and isinstance(fields.get("title"), str)


def _read_studio(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    messages = [_chunk(chunk) for chunk in fields["chunkedPrompt"]["chunks"]]
    about = without(fields, "chunkedPrompt", "systemInstruction")
    pending = fields["chunkedPrompt"].get("pendingInputs") or ()
    about["pendingInputs"] = [each["text"] for each in pending if each.get("text")]  # not sent
    settings = fields.get("runSettings") or {}
    about |= {"model": settings.get("model")} if isinstance(settings, dict) else {}
    asked = reader.exchange({"systemInstruction": fields.get("systemInstruction")}).asked
    yield reader.conversation(about, joined([*asked, *messages]))


def _chunk(chunk: Fields) -> Message:
    # the parts repeat the text in pieces
    left = without(chunk, "isThought", *(("parts",) if "text" in chunk else ()))
    file = next((name for name in left if name in FILES), None)
    if file is not None:
        left = {**without(left, file), "parts": [_file(file, left[file])]}
    message = read_message(left)
    if chunk.get("isThought") is not True:
        return message
    parts = [block for block in message.blocks if isinstance(block, Mapping)]
    return replace(message, blocks=[Thought(parts)], is_piece=True)


def _file(name: str, value: Any) -> Any:
    """Return a file or code as a part of Gemini."""
    match value:
        case {"id": str(identifier)}:
            return {"fileData": {"fileUri": f"{FILES[name]}{identifier}"}}
        case _:
            return {FILES[name]: value}


def _has_chunks(fields: Fields) -> bool:
    match fields:
        case {"chunkedPrompt": {"chunks": list()}}:
            return True
        case _:
            return False


def is_chunk(value: Any) -> bool:
    """Return True for a piece of a streamed answer that is not the last one."""
    match value:
        case {"candidates": [{"content": Mapping()} as candidate, *_]}:
            return CHUNK.issuperset(value) and not _ends(candidate)
        case _:
            return False


def _ends(candidate: Fields) -> bool:
    return "finishReason" in candidate or "finish_reason" in candidate


def _read_stream(fields: Fields, reader: Reader) -> Iterator[Conversation]:
    """Join chunks of the same response, or up to the one that ends it."""
    responses: list[list[Any]] = []
    is_open = False
    for chunk in fields["messages"]:
        candidates = chunk.get("candidates") or [{}]
        same = responses and chunk.get("responseId") == responses[-1][-1].get("responseId")
        if same and (is_open or chunk.get("responseId")):
            responses[-1].append(chunk)
        else:
            responses.append([chunk])
        is_open = not _ends(candidates[0])
    has_end = not is_open or len(responses) > 1
    for chunks in responses:
        if has_end or chunks[0].get("responseId"):
            yield from reader.logged(_joined(chunks))
        else:  # separate answers that say nothing about their ends
            for chunk in chunks:
                yield from reader.logged(chunk)


def _joined(chunks: Sequence[Fields]) -> Fields:
    """Return the chunks of a response as one response."""
    response = {name: value for chunk in chunks for name, value in chunk.items()}
    candidate: dict[str, Any] = {}
    parts: list[Any] = []
    for chunk in chunks:
        for found in (chunk.get("candidates") or ())[:1]:
            candidate |= found
            for part in (found.get("content") or {}).get("parts") or ():
                _add(parts, part)
    content = {**(candidate.get("content") or {}), "role": "model", "parts": parts}
    return {**response, "candidates": [{**candidate, "content": content}]}


def _add(parts: list[Any], part: Any) -> None:
    """Add a part; text continues text of the same kind."""
    match parts[-1:], part:
        case [{"text": str(before)} as last], {"text": str(more)} if (
            last.get("thought") == part.get("thought") and "thoughtSignature" not in last
        ):
            parts[-1] = {**last, **part, "text": before + more}
        case _:
            parts.append(part)


def _chunk_alone(chunk: Fields) -> Sequence[Message]:
    message = read_message(chunk["candidates"][0]["content"], "assistant")
    return [replace(message, meta={**rest(chunk, "candidates"), **message.meta})]


STREAM = Format(
    "gemini-stream",
    "Gemini: streamed answers",
    (items("messages", "objects with candidates", is_chunk),),
    _read_stream,
    is_message=is_chunk,
    messages=_chunk_alone,
)

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
    _read,
)

STUDIO = Format(
    "ai-studio",
    "Google AI Studio prompt",
    (Need("chunkedPrompt with chunks", _has_chunks),),
    _read_studio,
)

ACTIVITY = Format(
    "gemini-activity",
    "Google Takeout: activity of Gemini (MyActivity.json)",
    (Need("the header Gemini Apps, and a title", _is_activity),),
    _read_activity,
)
