"""Chat logs of other tools: file formats, and conversion to context elements."""

from typing import Literal

type Branches = Literal["active", "all"]
"""Which branches of a conversation that was edited are imported."""

type OnError = Literal["refuse", "skip", "repair"]
"""What an import does with a malformed message."""

type ExportFormat = Literal["openai", "anthropic", "sharegpt", "responses"]
"""A format in which conversations are exported."""
