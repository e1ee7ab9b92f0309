"""What Photogate needs and costs on AWS, reckoned: ``python -m bench.aws``."""
