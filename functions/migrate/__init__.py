"""The function that brings the database's schema up to date, from inside its network."""
