"""Scores a picture with the NSFW model of a verified bundle.

``bundle`` reads and verifies it, ``categories`` holds its labels to the rules, ``resizing``
makes the square that it reads, ``nsfw`` runs it.
"""
