"""Prompts and configurations as files of a folder, compared with those of the database."""
