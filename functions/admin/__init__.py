"""The moderators' and operators' HTTP function."""
