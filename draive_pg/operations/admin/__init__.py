"""Operations on the tables themselves: migrations and diagnosis."""
