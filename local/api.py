"""Both HTTP functions and the photos' URLs under one uvicorn."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import partial
from ipaddress import ip_network
from typing import Any

import uvicorn

from functions.admin.app import app as admin_app
from functions.upload.app import app as upload_app
from local import files, prometheus
from local.process import begin, run_main
from local.servers.http import LimitedHttp, allow_descriptors, limited_per_client
from photogate import bootstrap
from photogate.adapters.photos_files import MOUNT
from photogate.errors import ConfigError

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
    else:
        await upload_app(scope, receive, send)


def _remove_parts() -> None:
    with suppress(ConfigError):  # photos are in a bucket
        bootstrap.file_store().remove_parts(older_than_s=3600)


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
    _remove_parts()
    proxies = bootstrap.trusted_proxies()
    uvicorn.run(
        limited_per_client(app),
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
