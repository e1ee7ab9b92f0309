"""Both HTTP functions and the photos' URLs under one uvicorn."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from ipaddress import ip_network
from typing import Any

import uvicorn
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.admin.app import app as admin_app
from functions.upload.app import app as upload_app
from local import files, prometheus
from local.process import begin, run_main
from local.servers.http import LimitedHttp, allow_descriptors, limited_per_client
from photogate import bootstrap
from photogate.adapters.photos_files import MOUNT

#: As the API of ``template.yaml`` has it.
CORS = {
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": ["authorization", "content-type", "x-correlation-id"],
    "expose_headers": ["retry-after", "x-correlation-id"],
    "max_age": 600,
}

#: Where the page signs in, by a cookie.
SESSION_PATH = "/api/v1/admin/session"

_files_app = files.create_app(
    lambda: bootstrap.file_store(), max_bytes=lambda: bootstrap.max_photo_bytes()
)

_metrics_app = prometheus.create_app(prometheus.metrics_token)


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Hand each request to the app that its path belongs to."""
    path = scope.get("path", "")
    if path.startswith(f"{MOUNT}/"):
        await _files_app(scope, receive, send)
    elif path == prometheus.PATH:
        await _metrics_app(scope, receive, send)
    elif path == "/admin" or path.startswith(("/api/v1/admin/", "/admin/")):
        await admin_app(scope, receive, send)
    elif path in ("/", "/docs"):
        await RedirectResponse("/api/v1/docs")(scope, receive, send)
    else:
        await upload_app(scope, receive, send)


def with_cors(app: ASGIApp, origins: list[str]) -> ASGIApp:
    """Let pages of these origins call the API from a browser, with tokens and without cookies.

    The moderators' page, which signs in by a cookie, is for its own origin alone.
    """
    if not origins:
        return app
    shared = CORSMiddleware(app, allow_origins=origins, allow_credentials=False, **CORS)  # type: ignore[arg-type]  # settings of four types

    async def for_the_api(scope: Scope, receive: Receive, send: Send) -> None:
        of_api = scope["type"] == "http" and scope["path"].startswith("/api/v1/")
        of_api = of_api and not scope["path"].startswith(SESSION_PATH)
        await (shared if of_api else app)(scope, receive, send)

    return for_the_api


def main() -> None:
    """Serve until SIGTERM; a wrong setting ends it before it listens."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    begin()
    bootstrap.upload()
    bootstrap.admin()
    prometheus.metrics_token()
    allow_descriptors()
    proxies = bootstrap.trusted_proxies()
    uvicorn.run(
        with_cors(limited_per_client(app), bootstrap.cors_origins()),
        http=partial(LimitedHttp, proxies=[ip_network(proxy) for proxy in proxies]),  # type: ignore[arg-type]  # called like the class
        ws="none",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        host=arguments.host,
        port=arguments.port,
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    run_main(main)
