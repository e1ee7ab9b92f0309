"""From untrusted bytes to upright RGB pictures, in child processes.

``sandbox`` is what others use; ``child`` is the outer side of a child process and ``process``
its inner side, which runs ``decode`` after ``confinement`` took from it what that does not need
(``system_calls``: what is left). ``containers`` reads headers, ``shaping`` and ``colours``
bring what was decoded to one form. A child imports nothing else of this package.
"""
