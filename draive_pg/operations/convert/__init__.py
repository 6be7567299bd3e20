"""Copy conversations, prompts and configurations to the tables of another line of draive."""
