"""What fine-tuning and model APIs require of a conversation."""

from collections.abc import Iterator, Sequence

from draive_pg.chat.conversation import Message
from draive_pg.chat.export.writer import calls_of, result_of
from draive_pg.codec.validation import shown


def problems(messages: Sequence[Message]) -> Iterator[str]:
    """Yield why an API would refuse a conversation.

    The results of the calls of a message must follow it directly, each call may have one result,
    and there must be an answer to learn from. Calls at the very end need no results.
    """
    if not any(each.role == "assistant" for each in messages):
        yield "there is no message of the assistant"
    waiting: list[str | None] = []
    for number, message in enumerate(messages, start=1):
        if (result := result_of(message)) is not None:
            if result.call in waiting:
                waiting.remove(result.call)
            else:
                yield f"message {number}: the result of {shown(result.call)} follows no such call"
            continue
        if waiting:
            yield f"message {number}: the tool call {shown(waiting[0])} before it has no result"
        waiting = [call.identifier for call in calls_of(message)]
        if len(set(waiting)) < len(waiting):
            yield f"message {number}: two tool calls have the same id"
