"""Push, pull, status and diff of a folder of prompts or configurations."""
