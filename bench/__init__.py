"""Measures the figures of docs/performance.md (``make bench``); changes no file of the checkout."""
