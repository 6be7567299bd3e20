"""Operations on versioned documents: instructions, templates and configurations."""
