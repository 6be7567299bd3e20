"""What the tables hold: JSON documents, draive's elements, prompts' templates, chat logs."""
