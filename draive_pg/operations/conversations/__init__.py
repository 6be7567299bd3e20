"""Operations on conversations: named memories and their elements."""
