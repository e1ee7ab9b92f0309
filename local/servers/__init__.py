"""What the stack runs besides Photogate: PostgreSQL, Redis, and moto in the place of AWS."""
