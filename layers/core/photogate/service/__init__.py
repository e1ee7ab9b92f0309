"""The use cases, without any technology: upload, moderate, review, sweep."""
