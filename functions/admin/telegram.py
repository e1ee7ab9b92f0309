"""Where users are told by Telegram, for backends: a token may say it as well."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from photogate.bootstrap import AdminParts
from photogate.domain import Role
from photogate.domain.people import MAX_TELEGRAM_ID
from photogate.http import require
from photogate.ports.notices import Addresses
from photogate.problems import problems

from .sessions import signed_in


def _addresses(request: Request) -> Addresses:
    parts: AdminParts = request.app.state.parts()
    return parts.addresses


router = APIRouter(prefix="/api/v1/admin/notices", tags=["notices"])


class TelegramChat(BaseModel):
    """Whose chat with the bot is which."""

    user_id: str = Field(min_length=1, max_length=128, examples=["anna"])
    chat_id: int | None = Field(
        ge=1,
        le=MAX_TELEGRAM_ID,
        description="Of the user's private chat with the bot: the user's own id. Null: tell the"
        " user nothing by Telegram any more.",
        examples=[4711],
    )


@router.put(
    "/telegram",
    dependencies=[Depends(require(Role.ADMIN, signed_in))],
    status_code=204,
    responses=problems(400, 401, 403, 413, 422, 503),
)
def link_telegram(addresses: Annotated[Addresses, Depends(_addresses)], body: TelegramChat) -> None:
    """Link a user to a chat, or unlink."""
    if body.chat_id is None:
        addresses.unlink("telegram", body.user_id)
    else:
        addresses.link("telegram", body.user_id, str(body.chat_id))
