"""Makes the copies of a photo that people are shown, out of the bytes that were judged.

``showing`` runs in a decoder process and gives pixels; ``maker`` holds these against what was
judged and writes new files from them with ``encoding``. Nothing of the client's file but its
pixels ever comes so far.
"""
