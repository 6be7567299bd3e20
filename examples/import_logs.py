"""Import chat logs, and read their tool calls as a DataFrame.

    python examples/import_logs.py             # the log below
    python examples/import_logs.py mine.json   # your own: a JSON list of messages

The database is $DRAIVE_PG_DSN, or an embedded PostgreSQL without it. For many or large files, use
`draive-pg import chats`.
"""

import json
import sys
from pathlib import Path

from draive_pg import Client, MemoryExists

# OpenAI's message format: text and images in parts, tool calls, and tool responses.
LOG = """
[
  {"role": "system", "content": "You help the guests of a bicycle shop."},
  {"role": "user", "content": [
    {"type": "text", "text": "What is this part, and do you have it?"},
    {"type": "image_url", "image_url": {"url": "https://example.com/photos/derailleur.jpg"}}
  ]},
  {"role": "assistant", "content": "A rear derailleur. Let me look.", "tool_calls": [
    {"id": "call-1", "type": "function",
     "function": {"name": "find_part", "arguments": "{\\"name\\": \\"rear derailleur\\"}"}},
    {"id": "call-2", "type": "function",
     "function": {"name": "opening_hours", "arguments": "{}"}}
  ]},
  {"role": "tool", "tool_call_id": "call-1", "content": "3 in stock, 39 EUR"},
  {"role": "tool", "tool_call_id": "call-2", "content": "9 to 18"},
  {"role": "assistant", "content": "We have three, at 39 EUR. Come by between 9 and 18."}
]
"""


def main() -> None:
    if len(sys.argv) > 1:
        path = Path(sys.argv[1])
        identifier, text = path.stem, path.read_text(encoding="utf-8")
    else:
        identifier, text = "import-logs-example", LOG

    with Client() as db:
        db.setup()
        try:
            count = db.memories.import_chat(identifier, json.loads(text))
            print(f"Imported {count} elements into the memory {identifier!r}.")
        except MemoryExists:
            # A second import would duplicate the conversation, so it is refused.
            print(f"The memory {identifier!r} exists from an earlier run.")

        # The system message is stored as a variable, not as an element.
        print(f"\nSystem: {db.memory(identifier).recall().variables.get('system')}")

        print("\nThe conversation:")
        log = db.memory(identifier).log()
        print(log[["position", "role", "parts", "text"]].to_string(index=False))

        print("\nIts tool calls, each with its response:")
        calls = db.frames.tool_calls(identifier)
        print(calls[["call", "tool", "arguments", "response"]].to_string(index=False))


if __name__ == "__main__":
    main()
