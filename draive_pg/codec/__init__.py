"""JSON documents and context elements: validation, encoding and decoding."""
