"""The users' HTTP function."""
