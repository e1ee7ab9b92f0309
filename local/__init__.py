"""Photogate on one machine. Nothing imports this package."""
