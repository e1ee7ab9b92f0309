"""Photogate on one machine. Nothing that is deployed imports this package."""
