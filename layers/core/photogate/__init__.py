"""Photogate: photo moderation that a small team can own."""

__version__ = "0.1.0"
