"""The tables as pandas DataFrames, and as files of them."""
