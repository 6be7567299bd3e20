"""Operations on versioned documents: instructions and configurations."""
