"""One module per technology: ``<port>_<technology>``."""
