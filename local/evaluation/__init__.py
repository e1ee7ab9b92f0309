"""``photogate evaluate``: verdicts on labelled pictures, counted.

``labels`` reads what people say of pictures, ``measuring`` looks at each once and keeps what it
measured in a ``notebook``, ``figures`` counts what a policy makes of that, ``comparison`` and
``sweep`` do so for two policies and for other bounds; ``tables`` and ``page`` show it.
"""
