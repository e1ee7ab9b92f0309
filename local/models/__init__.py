"""The models on this machine: built here, or added from a folder in Hugging Face's layout.

``build`` makes what is shipped. What people add is read by ``huggingface`` with
``image_processor`` and ``graph``, its labels mapped by ``mapping``, tried by ``trial`` and kept
by ``own``; ``tables`` shows it.
"""
