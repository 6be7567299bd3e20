"""Conversation stores of other frameworks over a memory, with those frameworks themselves."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from draive_pg import AsyncClient, Client

EXAMPLES = Path(__file__).parent.parent / "examples"
INSTALL = "pip install --group frameworks"
STORES = ["openai_agents_session", "langchain_history", "pydantic_ai_history"]

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("default"),  # their warnings are not ours
]

ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "How warm is it? \0 \ud800"},
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Look."}],
        "encrypted_content": "gAAA=",
    },
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "warm",
        "arguments": '{"city": "Oslo"}',
    },
    {"type": "function_call_output", "call_id": "call_1", "output": "21"},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "21 °C", "annotations": [], "logprobs": [1.0]}],
    },
]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Import an example."""
    monkeypatch.syspath_prepend(EXAMPLES)

    def example(name: str) -> Any:
        sys.modules.pop(name, None)
        return pytest.importorskip(name, reason=INSTALL, exc_type=ImportError)

    return example


def run_with_client(dsn: str, body: Callable[[AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with AsyncClient(dsn) as db:
            await body(db)

    asyncio.run(main())


@pytest.mark.parametrize("name", STORES)
def test_example_runs_twice(
    example: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    empty_dsn: str,
    name: str,
) -> None:
    monkeypatch.setenv("DRAIVE_PG_DSN", empty_dsn)
    module = example(name)
    for _ in range(2):
        done = module.main()
        if done is not None:
            asyncio.run(done)
        assert "Is it warm in Oslo?" in capsys.readouterr().out


def test_openai_agents_session_keeps_items_exactly(example: Callable[[str], Any], dsn: str) -> None:
    module = example("openai_agents_session")

    async def use(db: AsyncClient) -> None:
        session = module.PostgresSession("s", db)
        await session.add_items([])
        assert await session.pop_item() is None
        await session.add_items(ITEMS)
        assert await session.get_items() == ITEMS
        assert await session.get_items(2) == ITEMS[-2:]
        assert await session.get_items(0) == []
        assert await session.pop_item() == ITEMS[-1]
        await asyncio.gather(*(session.add_items(ITEMS[:2]) for _ in range(10)))
        assert await session.get_items() == ITEMS[:-1] + ITEMS[:2] * 10
        popped = await asyncio.gather(*(session.pop_item() for _ in range(20)))
        assert popped.count(ITEMS[0]) == popped.count(ITEMS[1]) == 10
        await session.clear_session()
        assert await session.get_items() == []
        limited = module.PostgresSession("s", db, module.SessionSettings(limit=1))
        await limited.add_items(ITEMS)
        assert await limited.get_items() == ITEMS[-1:]

    run_with_client(dsn, use)


def test_openai_agents_runner_uses_session(example: Callable[[str], Any], dsn: str) -> None:
    module = example("openai_agents_session")
    agents = pytest.importorskip("agents", reason=INSTALL)
    responses = pytest.importorskip("openai.types.responses", reason=INSTALL)
    seen: list[list[Any]] = []

    class Pretended(agents.Model):
        async def get_response(self, *a: Any, **k: Any) -> Any:
            seen.append(a[1] if len(a) > 1 else k["input"])
            text = responses.ResponseOutputText(
                text=f"answer {len(seen)}", type="output_text", annotations=[]
            )
            message = responses.ResponseOutputMessage(
                id="1", type="message", role="assistant", content=[text], status="completed"
            )
            return agents.ModelResponse(output=[message], usage=agents.Usage(), response_id=None)

        def stream_response(self, *a: Any, **k: Any) -> Any:
            raise NotImplementedError

    async def use(db: AsyncClient) -> None:
        session = module.PostgresSession("s", db)
        agent = agents.Agent(name="a", model=Pretended())
        config = agents.RunConfig(tracing_disabled=True)
        for question in ("one", "two"):
            done = await agents.Runner.run(agent, question, session=session, run_config=config)
        assert done.final_output == "answer 2"
        contents = [item["content"] for item in seen[-1]]
        assert (contents[0], contents[-1], len(contents)) == ("one", "two", 3)
        assert contents[1][0]["text"] == "answer 1"
        assert len(await session.get_items()) == 4

    run_with_client(dsn, use)


def test_langchain_history_keeps_messages_exactly(example: Callable[[str], Any], dsn: str) -> None:
    module = example("langchain_history")
    messages = pytest.importorskip("langchain_core.messages", reason=INSTALL)
    call = {"name": "warm", "args": {"city": "Oslo"}, "id": "c", "type": "tool_call"}
    written = [
        messages.SystemMessage("Be brief.", id="1"),
        messages.HumanMessage([{"type": "text", "text": "How warm? \0"}], name="ada"),
        messages.AIMessage("", tool_calls=[call], response_metadata={"model": "m"}),
        messages.ToolMessage("21", tool_call_id="c", artifact={"raw": [21.0]}, status="success"),
        messages.AIMessage([{"type": "reasoning", "reasoning": "hm"}, "21 °C"]),
    ]
    with Client(dsn) as db:
        history = module.PostgresHistory("s", db)
        assert history.messages == []
        history.add_messages(written)
        assert history.messages == written
        history.add_user_message("And Rome?")
        assert history.messages[-1] == messages.HumanMessage("And Rome?")
        asyncio.run(history.aadd_messages([messages.AIMessage("30 °C")]))
        assert asyncio.run(history.aget_messages())[-1] == messages.AIMessage("30 °C")
        history.clear()
        assert history.messages == []


def test_pydantic_ai_history_keeps_messages_exactly(
    example: Callable[[str], Any], dsn: str
) -> None:
    module = example("pydantic_ai_history")
    agent = module.Agent(module.TestModel(custom_output_text="21 °C"))

    @agent.tool_plain
    def warm(city: str) -> float:
        """Return the temperature."""
        return 21.0

    async def use(db: AsyncClient) -> None:
        history = module.PostgresHistory("s", db)
        assert await history.load() == []
        first = await agent.run("How warm is it?")
        for _ in range(2):
            await history.add(first.new_messages(), key="first")
        assert await history.load() == first.all_messages()
        second = await agent.run("And now?", message_history=await history.load())
        await history.add(second.new_messages())
        assert await history.load() == second.all_messages()
        assert await history.load(1) == second.all_messages()[-1:]
        await history.undo()
        assert await history.load() == first.all_messages()

    run_with_client(dsn, use)
