"""``make bench`` measures the figures of docs/performance.md. It writes nothing into the checkout."""
