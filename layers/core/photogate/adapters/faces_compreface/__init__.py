"""Faces and their ages from CompreFace, over its REST API (1.2.0).

Tested against a server that keeps the contract that CompreFace documents, not against
CompreFace itself.
"""

from photogate.adapters.faces_compreface.detector import ComprefaceFaces

__all__ = ["ComprefaceFaces"]
