"""Backups of an installation, and what a restored one must not bring back."""
