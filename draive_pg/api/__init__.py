"""What a client can do, by what it is done to; each module holds both colours."""
