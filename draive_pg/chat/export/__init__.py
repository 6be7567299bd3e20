"""Formats in which conversations are exported: one module each."""

from collections.abc import Mapping

from draive_pg.chat import ExportFormat
from draive_pg.chat.export import anthropic, openai, responses, sharegpt
from draive_pg.chat.export.writer import Write

FORMATS: Mapping[ExportFormat, Write] = {
    "openai": openai.write,
    "anthropic": anthropic.write,
    "sharegpt": sharegpt.write,
    "responses": responses.write,
}
