"""The function that tells people and backends of decisions, on AWS."""
