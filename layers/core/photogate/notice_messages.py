"""What travels between who has the database and who has the way out, where these are two.

On AWS the sweep hands parcels over to the notifier, and gets its receipts back, through SQS.

- parcel: ``{"v":1,"until":…,"parcel":{…}}``, ``until`` in seconds since 1970: its lease ends then.
- receipt: ``{"v":1,"parcel":{…},"receipt":{…}}``
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from photogate.domain.notices import Parcel, Receipt
from photogate.errors import InvalidRequest

VERSION = 1


class HandedOver(BaseModel):
    """A parcel on its way to the notifier."""

    model_config = ConfigDict(frozen=True)

    v: int = VERSION
    #: Who gets it later leaves it alone: somebody else may have it by then.
    until: datetime
    parcel: Parcel


class HandedBack(BaseModel):
    """What became of it, on its way back."""

    model_config = ConfigDict(frozen=True)

    v: int = VERSION
    parcel: Parcel
    receipt: Receipt


T = TypeVar("T", HandedOver, HandedBack)


def handed_over(body: str) -> HandedOver:
    """Read a message for the notifier.

    Raises:
        InvalidRequest: it is none of a version that this code knows.
    """
    return _read(HandedOver, body)


def handed_back(body: str) -> HandedBack:
    """Read a message of the notifier.

    Raises:
        InvalidRequest: it is none of a version that this code knows.
    """
    return _read(HandedBack, body)


def _read(kind: type[T], body: str) -> T:
    try:
        read = kind.model_validate_json(body)
    except ValidationError as error:
        raise InvalidRequest("not a message about notices") from error
    if read.v != VERSION:
        raise InvalidRequest(f"version {read.v} of a message about notices is not known")
    return read
