"""What the tables hold, and may: documents, draive's elements, prompts' templates, chat logs."""
