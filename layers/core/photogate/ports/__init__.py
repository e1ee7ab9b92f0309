"""What the services need from the outside world, as small contracts, by what they serve.

Adapters live in ``photogate.adapters`` (and ``photogate_vision`` for pixels);
``photogate.bootstrap`` alone chooses among them. Every method may raise the
``RetryableError`` of its kind when the technology behind it does not answer.
"""
