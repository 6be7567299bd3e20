"""Public methods of `Client` and `AsyncClient`, one module per namespace."""
