"""Photos in a bucket of S3, R2, or whatever speaks the S3 API.

The role needs ``s3:PutObject``, ``s3:GetObject`` and ``s3:DeleteObject`` on the objects
(template.yaml says which function needs which), and ``s3:ListBucket`` on the bucket itself:
without the latter S3 answers 403 instead of 404 for a photo that is not there. A 403 is therefore
never taken for "there is none": it is a fault of ours, retried until somebody mends it or a person
looks at the photo.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from contextlib import closing
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import boto3.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from urllib3.exceptions import HTTPError

from photogate.domain import NEVER, Deadline, Reason, StoredObject, UploadTicket
from photogate.domain.object_keys import may_be_uploaded, may_be_viewed
from photogate.errors import (
    ConfigError,
    Forbidden,
    NotFound,
    OutOfTime,
    PhotoChanged,
    PhotoRefused,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

P = ParamSpec("P")
T = TypeVar("T")

#: However long a caller asks for: whoever finds an upload URL later finds it dead.
_MAX_UPLOAD_URL_S = 900
READ_TIMEOUT_S = 10.0
#: Longest time for one photo as a whole; the timeouts above begin anew with every byte.
_GET_WITHIN_S = _PUT_WITHIN_S = 25.0
_CHUNK_BYTES = 65_536
#: upload-complete looks at up to 18 objects at once.
_CONNECTIONS = 24


def connect(
    *,
    region: str,
    endpoint: str | None,
    access_key: str | None,
    secret_key: str | None,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> S3Client:
    """Make a client; connects when first used. A call that fails is tried once more.

    Args:
        region: of the bucket; ``auto`` for R2.
        endpoint: where the S3 API answers, when that is not AWS itself; its URLs then carry
            the bucket in their path, else in the host.
        access_key: None leaves it to the role or the SDK's own sources.
        secret_key: of ``access_key``.

    Raises:
        ConfigError: an address that is not valid, or an AWS profile that does not exist.
    """
    try:
        return boto3.session.Session().client(
            "s3",
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                # boto3 signs URLs of us-east-1 with version 2 otherwise.
                signature_version="s3v4",
                s3={"addressing_style": "path" if endpoint else "virtual"},
                # A checksum in a presigned URL would bind the client to bytes nobody knows yet.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=2.0,
                read_timeout=read_timeout_s,
                retries={"mode": "standard", "total_max_attempts": 2},
                max_pool_connections=_CONNECTIONS,
            ),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigError(f"the client of S3 cannot be made: {error}") from error


def _translated(call: Callable[P, T]) -> Callable[P, T]:
    @wraps(call)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        # urllib3's come out of a body whose connection breaks in ways that botocore forgot.
        except (ClientError, BotoCoreError, HTTPError, OSError) as error:
            # Also when the installation is wrong: what was accepted waits until it is mended.
            message = _way_out(error) or f"the photo store does not answer: {error}"
            raise StorageUnavailable(message, retry_after_s=2.0) from error

    return translated


class S3PhotoStore:
    """The ``PhotoStore`` port, and ``Probe``, on one bucket. Thread-safe.

    Args:
        client: from ``connect``.
        bucket: its name.
        presigner: a client whose endpoint the photos' owners and moderators can reach;
            signing calls nobody.
        write_once: sign ``If-None-Match: *``, so that no upload replaces another one;
            clients must then send that header.
        get_within_s: longest time for reading one photo.
        put_within_s: longest time for writing one.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        *,
        presigner: S3Client,
        write_once: bool = False,
        get_within_s: float = _GET_WITHIN_S,
        put_within_s: float = _PUT_WITHIN_S,
    ) -> None:
        self._s3 = client
        self._bucket = bucket
        self._presigner = presigner
        self._write_once = write_once
        self._get_within_s = get_within_s
        self._put_within_s = put_within_s

    @_translated
    def presign_put(
        self, key: str, *, content_type: str, size_bytes: int | None, expires_in_s: int
    ) -> UploadTicket:
        """See ``photogate.ports.photos.PhotoStore.presign_put``; at most 900 s."""
        if not may_be_uploaded(key):
            raise Forbidden("no URL is given for PUT of this object")
        expires_in_s = min(expires_in_s, _MAX_UPLOAD_URL_S)
        signed: dict[str, str | int] = {"ContentType": content_type}
        headers = {"Content-Type": content_type}
        if size_bytes is not None:
            signed["ContentLength"] = size_bytes
            headers["Content-Length"] = str(size_bytes)
        if self._write_once:
            signed["IfNoneMatch"] = headers["If-None-Match"] = "*"
        url = self._presigner.generate_presigned_url(
            "put_object",
            Params={"Bucket": self._bucket, "Key": key, **signed},
            ExpiresIn=expires_in_s,
        )
        return UploadTicket(
            url=url, method="PUT", headers=headers, bucket=self._bucket, expires_in_s=expires_in_s
        )

    @_translated
    def presign_get(self, key: str, *, expires_in_s: int) -> str:
        """See ``photogate.ports.photos.PhotoStore.presign_get``."""
        if not may_be_viewed(key):
            raise Forbidden("no URL is given for GET of this object")
        return self._presigner.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=expires_in_s
        )

    @_translated
    def head(self, key: str) -> StoredObject | None:
        """See ``photogate.ports.photos.PhotoStore.head``."""
        try:
            answer = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _status(error) == HTTPStatus.NOT_FOUND:
                return None
            raise
        return _described(answer)

    @_translated
    def get(
        self, key: str, *, etag: str | None, max_bytes: int, deadline: Deadline = NEVER
    ) -> bytes:
        """See ``photogate.ports.photos.PhotoStore.get``."""
        ends = deadline.within(self._get_within_s)
        try:
            return ends.bound(lambda: self._read(key, etag, max_bytes, ends))
        except TimeoutError as error:
            if deadline.passed:
                raise OutOfTime(f"ran out of time while reading {key}") from error
            raise

    def _read(self, key: str, etag: str | None, max_bytes: int, ends: Deadline) -> bytes:
        try:
            answer = (
                self._s3.get_object(Bucket=self._bucket, Key=key)
                if etag is None
                else self._s3.get_object(Bucket=self._bucket, Key=key, IfMatch=f'"{etag}"')
            )
        except ClientError as error:
            if _status(error) == HTTPStatus.PRECONDITION_FAILED:
                raise PhotoChanged(f"{key} is not what upload-complete accepted") from error
            if _status(error) == HTTPStatus.NOT_FOUND and _code(error) != "NoSuchBucket":
                raise NotFound(f"there is no object {key}") from error
            raise
        with closing(answer["Body"]) as body:
            stored = _described(answer)
            # Some stores do not know If-Match.
            if etag is not None and stored.etag != etag:
                raise PhotoChanged(f"{key} is not what upload-complete accepted")
            if stored.size_bytes > max_bytes:
                raise _too_large(stored.size_bytes, max_bytes)
            data = bytearray()
            while len(data) <= max_bytes and (chunk := body.read(_CHUNK_BYTES)):
                data += chunk
                if ends.passed:
                    break  # nobody waits for it any more
        if len(data) > max_bytes:
            raise _too_large(len(data), max_bytes)
        if len(data) != stored.size_bytes:
            raise StorageUnavailable(f"got {len(data)} of {stored.size_bytes} bytes of {key}")
        return bytes(data)

    @_translated
    def put(self, key: str, data: bytes, *, content_type: str, deadline: Deadline = NEVER) -> None:
        """See ``photogate.ports.photos.PhotoStore.put``.

        S3 keeps an object whole or not at all, and nothing whose bytes changed on the way.
        """
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        try:
            deadline.within(self._put_within_s).bound(
                lambda: self._s3.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=data,
                    ContentType=content_type,
                    # The one checksum that every store with this API knows.
                    ContentMD5=base64.b64encode(digest).decode(),
                )
            )
        except TimeoutError as error:
            if deadline.passed:
                raise OutOfTime(f"ran out of time while writing {key}") from error
            raise

    @_translated
    def delete(self, key: str) -> None:
        """See ``photogate.ports.photos.PhotoStore.delete``."""
        try:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            # S3 says that it is done; others say that there was nothing to do.
            if _code(error) != "NoSuchKey":
                raise

    @_translated
    def check(self) -> dict[str, Any]:
        """Answer a health probe.

        Raises:
            ConfigError: a bucket that does not exist, or to which access is denied.
        """
        try:
            self._s3.head_bucket(Bucket=self._bucket)
        except (ClientError, BotoCoreError) as error:
            if way_out := _way_out(error):
                raise ConfigError(way_out) from error
            raise
        return {"kind": "s3", "bucket": self._bucket}

    def close(self) -> None:
        """Close the connections; the store may be used again."""
        self._s3.close()
        self._presigner.close()


def _described(answer: HeadObjectOutputTypeDef | GetObjectOutputTypeDef) -> StoredObject:
    """Read what HEAD and GET say of an object; an S3 API always says both."""
    if "ETag" not in answer or "ContentLength" not in answer:
        raise StorageUnavailable("the answer has no ETag or no size: is S3_ENDPOINT an S3 API?")
    return StoredObject(size_bytes=answer["ContentLength"], etag=answer["ETag"].strip('"'))


def _too_large(size_bytes: int, max_bytes: int) -> PhotoRefused:
    return PhotoRefused(f"{size_bytes} bytes; at most {max_bytes}", reason=Reason.TOO_LARGE.value)


def _status(error: ClientError) -> int:
    """Give the HTTP status: answers to HEAD have no body, and so no word for what is wrong."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _way_out(error: Exception) -> str | None:
    """Say what to mend when the installation is at fault, else None."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return f"S3 needs a role, or S3_ACCESS_KEY and S3_SECRET_KEY: {error}"
    if not isinstance(error, ClientError):
        return None
    if _status(error) == HTTPStatus.FORBIDDEN:
        return (
            "S3 denies access: correct the credentials, or allow s3:PutObject, s3:GetObject and"
            f" s3:DeleteObject on the objects and s3:ListBucket on the bucket: {error}"
        )
    if _status(error) == HTTPStatus.NOT_FOUND:
        return f"there is no such bucket: correct S3_BUCKET_PHOTOS, or make it: {error}"
    return None
