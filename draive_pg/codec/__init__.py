"""JSON documents and context elements: validation, encoding, decoding, transcripts."""
