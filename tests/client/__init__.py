"""The client of ``clients/python``, as backends use it."""
