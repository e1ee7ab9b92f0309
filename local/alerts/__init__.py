"""Tells operators what is wrong, once for each incident, and when it is over.

``bounds`` looks, ``incidents`` remembers what was told, ``ways`` tell it; ``watch`` does it all
each minute, beside the sweep.
"""
