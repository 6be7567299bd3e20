"""How things look in a notebook and in a terminal."""
