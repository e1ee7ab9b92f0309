"""What CloudFormation is told: custom resources answer by a PUT to a signed URL.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

import urllib3

from photogate.errors import MigrationUnfinished, PhotogateError

from .time_limit import OutOfTime

logger = logging.getLogger(__name__)
# Its warnings quote the signed URL.
logging.getLogger("urllib3").setLevel(logging.ERROR)

#: What the resource that continues a finished one is given.
_NO = "no"
#: The schema is one thing, whatever happens to it; another id would be a replacement.
_ID = "photogate-schema"
#: Of the 4,096 bytes that an answer may have.
_REASON_CHARS = 800
#: Four tries of at most 12 s: within ``ANSWER_S``.
_RETRIES = urllib3.Retry(total=3, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504))
_TIMEOUT = urllib3.Timeout(connect=4, read=8)


class NotAnswered(Exception):
    """CloudFormation could not be told; it waits until the resource's ServiceTimeout."""


def answer(request: dict[str, Any], migrate: Callable[[], list[str]]) -> dict[str, Any]:
    """Do what CloudFormation asks for, and tell it how that ended, whatever happens.

    Raises:
        NotAnswered: it could not be told.
    """
    told: dict[str, Any] = {"Status": "SUCCESS", "Data": {"Unfinished": _NO}}
    try:
        if _is_needed(request):
            told["Data"]["Applied"] = _names(migrate())
    except MigrationUnfinished as unfinished:
        told = _unfinished(request, unfinished)
    except (Exception, OutOfTime) as error:
        logger.exception("the migration failed")
        told = {"Status": "FAILED", "Reason": _reason(error)}
    _tell(request, told)
    return told


def _unfinished(request: dict[str, Any], unfinished: MigrationUnfinished) -> dict[str, Any]:
    """Leave the rest to the resource that continues this one; the last one has none."""
    logger.warning("%s", unfinished)
    if request["ResourceProperties"].get("MayBeUnfinished") == "true":
        # Never the same twice: CloudFormation calls the next one only when a value has changed.
        left = f"{_reason(unfinished)} ({request['RequestId']})"
        return {
            "Status": "SUCCESS",
            "Data": {"Applied": _names(unfinished.applied), "Unfinished": left},
        }
    return {"Status": "FAILED", "Reason": f"{_reason(unfinished)}: deploy again"}


def _names(applied: Sequence[str]) -> str:
    return ", ".join(applied) or "nothing"


def _is_needed(request: dict[str, Any]) -> bool:
    """Tell whether the database has to be asked.

    Tables outlive the stack. What continues a finished migration has nothing to do. And a
    version with fewer migrations than the one before has none to apply; asking anyway would let
    a database that is down, the very reason why CloudFormation goes back, keep it from going back.
    """
    if request["RequestType"] == "Delete":
        return False
    new, old = request["ResourceProperties"], request.get("OldResourceProperties", {})
    if "Unfinished" in new:
        return bool(new["Unfinished"] != _NO)
    goes_back = old and int(new["Schema"]) < int(old["Schema"])
    return not (goes_back and {**new, "Schema": ""} == {**old, "Schema": ""})


def _reason(error: BaseException) -> str:
    """Say in a line what failed: our own messages hold no secrets, of others only the kind."""
    if isinstance(error, PhotogateError | OutOfTime):
        return " ".join(str(error).split())[:_REASON_CHARS]
    return f"{type(error).__name__}; the function's log tells more"


def _tell(request: dict[str, Any], told: dict[str, Any]) -> None:
    body = {
        **told,
        "PhysicalResourceId": request.get("PhysicalResourceId", _ID),
        **{name: request[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    try:
        with urllib3.PoolManager(retries=_RETRIES, timeout=_TIMEOUT) as http:
            # The URL is signed for a request without a type.
            headers = {"Content-Type": ""}
            done = http.request(
                "PUT", request["ResponseURL"], body=json.dumps(body), headers=headers
            )
    except urllib3.exceptions.HTTPError as error:
        # Not the error's own text: it holds the signed URL.
        raise NotAnswered(f"CloudFormation was not reached: {type(error).__name__}") from None
    if done.status != 200:
        raise NotAnswered(f"CloudFormation's URL answered {done.status}")
