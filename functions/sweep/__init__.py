"""The function that a schedule calls once a minute."""
