"""The ``agent_memory`` table as the memory of draive 0.114 and newer."""

# pyright knows the draive of the development environment, which has none of these.
# pyright: reportAttributeAccessIssue=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from draive import AgentMemory, AgentThread, Meta, ModelInput, ModelOutput

from draive_pg.adapters.database import ScopeDatabase, migrate
from draive_pg.codec.json import encode
from draive_pg.codec.validation import check_sent
from draive_pg.database.cache import Cache
from draive_pg.database.endpoint import schema_of
from draive_pg.errors import StoredDataInvalid
from draive_pg.operations.conversations import agents

ELEMENTS = {"input": ModelInput, "output": ModelOutput}


class PostgresAgentMemory:
    """The ``agent_memory`` table, in the interface of the installed draive."""

    def __init__(self) -> NoReturn:
        raise TypeError("write PostgresAgentMemory.instance(), as with draive's")

    @staticmethod
    async def migrate() -> None:
        """Create the table and its index, unless they exist; processes wait for each other."""
        await migrate("agent_memory")

    @staticmethod
    def instance(*, meta: Any = None, schema: str | None = None) -> AgentMemory:
        """Return the memory of all agents and threads.

        Parameters
        ----------
        meta : Meta | Mapping | None
            The meta of the memory.
        schema : str | None
            The schema of the tables; None: ``$DRAIVE_PG_SCHEMA``, else the search path.

        Returns
        -------
        AgentMemory
            For a scope with a ``Postgres`` state.
        """
        database = ScopeDatabase(Cache(0, 1.0), schema_of(schema))

        async def recall(
            thread: AgentThread, context: Sequence[Any], **extra: Any
        ) -> Sequence[Any]:
            stored = await database.run(agents.recall(thread.agent_uri, thread.identifier))
            return (*(_element(each, thread) for each in stored), *context)

        async def remember(thread: AgentThread, context: Sequence[Any], **extra: Any) -> None:
            documents = ",".join(
                encode(json.loads(element.to_json()), f"context[{index}]")
                for index, element in enumerate(context)
            )
            sent = check_sent(f"[{documents}]", "the context is")
            await database.run(agents.remember(thread.agent_uri, thread.identifier, sent))

        return AgentMemory(recalling=recall, remembering=remember, meta=Meta.of(meta))


def _element(document: Any, thread: AgentThread) -> Any:
    try:
        return ELEMENTS[document["kind"]].from_mapping(document)
    except Exception as error:  # of any class, from draive
        raise StoredDataInvalid(
            f"the context of thread {thread.identifier} of agent {thread.agent_uri!r:.80} cannot "
            f"be read: {str(error).splitlines()[0] if str(error) else type(error).__name__:.120}"
        ) from error
