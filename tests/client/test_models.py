"""The client's models are those of the API's documents."""

from __future__ import annotations

from clients.python.generate_models import modules


def test_the_models_are_what_the_documents_give() -> None:
    for path, text in modules().items():
        again = "write it anew: .venv/bin/python -m clients.python.generate_models"
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: {again}"
