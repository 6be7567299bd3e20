"""What is kept in files: folders of prompts and configurations, and whole memories."""
