"""Chat logs of other tools: file formats, and conversion to context elements."""
