"""PostgreSQL over pg8000: the pool, and one module per port."""
