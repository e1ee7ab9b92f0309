"""Finds faces with two small networks: the embedded ``FaceDetector``.

``detector`` is what others use; ``bundle`` reads and verifies the networks, ``network`` runs
one, ``views`` cuts out what they look at, ``boxes`` compares and merges what they find.
"""
