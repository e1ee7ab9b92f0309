"""The function that gives verdicts."""
