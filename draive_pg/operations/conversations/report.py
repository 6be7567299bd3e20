"""Write several conversations as one HTML page."""

from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING

from draive_pg.atomic_file import replacing
from draive_pg.codec.timestamps import Timestamp
from draive_pg.codec.validation import check_text
from draive_pg.display.page import check_page_path
from draive_pg.display.progress import progress
from draive_pg.display.text import plural
from draive_pg.models.conversations import Transfer
from draive_pg.operations.conversations.listing import Order, list_
from draive_pg.operations.conversations.transcript import show
from draive_pg.operations.operation import Call, Steps, workflow

if TYPE_CHECKING:
    from draive_pg.models.conversations import MemorySummary
    from draive_pg.models.record import Records
    from draive_pg.models.transcript import Transcript


@workflow
def report(
    path: object,
    prefix: str | None,
    since: Timestamp | None,
    until: Timestamp | None,
    order: Order,
    limit: int | None,
    *,
    descending: bool,
    title: str,
) -> Steps[Transfer]:
    """Write the conversations that `list_` returns to a page, one after the other."""
    from draive_pg.display import report_html

    file = check_page_path(path)
    check_text(title, "title")
    found: Records[MemorySummary] = yield list_(
        order, limit, 0, descending=descending, prefix=prefix, since=since, until=until
    )
    facts = (
        f"first {len(found):,} conversations, there are more"
        if found.truncated
        else plural(len(found), "conversation"),
        f"of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    memories = elements = variables = 0
    with ExitStack() as stack, progress(len(found), "Writing", " memories") as bar:
        draft: IO[bytes] = yield Call(partial(stack.enter_context, replacing(file)))
        draft.write(report_html.opening(title, *facts).encode())
        for summary in found:
            transcript: Transcript = yield show(summary.identifier, None)
            if transcript.exists:  # it may have been removed since
                yield Call(partial(_write, draft, transcript))
                memories += 1
                elements += len(transcript)
                variables += bool(transcript.variables)
            bar.update(1)
        draft.write(report_html.closing().encode())
        yield Call(stack.close)
    return Transfer(file, memories, elements, variables)


def _write(draft: IO[bytes], transcript: "Transcript") -> None:
    from draive_pg.display import report_html

    draft.write(report_html.conversation(transcript).encode())
