"""Pictures as HTTP answers: copies that we made, for those who may see more than everybody."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from fastapi import Query, Response

from photogate.service.pictures import Picture

CopyName: TypeAlias = Literal["display", "thumb", "preview"]
COPY_QUERY = Query(
    alias="copy",
    description="`display`: up to 1600 pixels; `thumb`: up to 320; `preview`: small, grey and"
    " blurred.",
)
#: For ``responses`` of a route.
PICTURE: dict[str, Any] = {
    "description": "The picture.",
    "content": {"image/jpeg": {}, "image/webp": {}},
}


def picture_answer(picture: Picture) -> Response:
    """Answer with a picture that no cache may keep and no page may run."""
    return Response(
        picture.data,
        media_type=picture.content_type,
        headers={
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Content-Disposition": "inline",
        },
    )
