"""The tables as pandas DataFrames."""
