"""Each function as Lambda runs it: a process under the real runtime interface client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from local.client import PhotogateClient
from local.lambda_runtime import FunctionFailed, LambdaRuntime, run_function
from local.logs import LogFilter, read_events, read_metrics
from photogate.adapters.postgres.pool import Pool
from photogate.adapters.postgres.workers import PostgresWorkers
from photogate.auth import issue_token, sign_in_link
from photogate.domain import Role
from photogate.messages import Job
from photogate.policies import preset
from tests.conftest import SECRET
from tests.functions.conftest import Installation, make_copies
from tests.functions.test_moderate import event
from tests.functions.test_upload import api_gateway_event
from tests.servers import eventually

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

pytest.importorskip("awslambdaric", reason="the runtime interface client has wheels for Linux only")


def batches(pool: Pool) -> list[str]:
    rows = pool.transaction(lambda s: s.rows("SELECT id FROM batches ORDER BY created_at"))
    return [row["id"] for row in rows]


def job(batch_id: str) -> str:
    return Job(batch_id=batch_id, generation=1).encode()


@pytest.fixture
def moderate(installation: Installation, tmp_path: Path) -> Iterator[LambdaRuntime]:
    """The moderate function."""
    log = tmp_path / "moderate.log"
    with run_function("functions.moderate.app.handler", {}, log=log) as runtime:
        yield runtime


def states(client: PhotogateClient) -> set[str]:
    make_copies()
    return {photo["moderation_status"] for photo in client.photos()}


class TestHttp:
    def test_upload_answers_an_http_api(self, installation: Installation, tmp_path: Path) -> None:
        log = tmp_path / "upload.log"
        with run_function("functions.upload.app.handler", {}, log=log) as upload:
            answer = upload.invoke(api_gateway_event("GET", "/api/v1/health"))
            assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (200, "ok")
            path = "/api/v1/users/media/moderation-status"
            refused = upload.invoke(api_gateway_event("GET", path))
            assert refused["statusCode"] == 401
            assert refused["headers"]["content-type"] == "application/problem+json"
            token = issue_token("u-1", secret=SECRET)
            gateway = api_gateway_event("GET", path, token)
            gateway["requestContext"]["requestId"] = "the-gateways-own-id"
            answer = upload.invoke(gateway)
            assert json.loads(answer["body"])["summary"]["total_photos"] == 0
            assert answer["headers"]["x-correlation-id"] == "the-gateways-own-id"
            bad = {**api_gateway_event("POST", "/api/v1/users/media/upload-complete", token)}
            bad["body"] = "{"
            assert upload.invoke(bad)["statusCode"] == 422
        requests = [e for e in read_events([log], LogFilter()) if e["message"] == "request"]
        assert [e["status"] for e in requests] == [200, 401, 200, 422]
        assert requests[2]["correlation_id"] == "the-gateways-own-id"
        counts = {m.name: sum(m.values) for m in read_metrics([log], after=None)}
        assert (counts["Requests"], counts["ColdStarts"], counts["Errors"]) == (4, 1, 0)

    def test_admin_answers_an_http_api(self, installation: Installation, tmp_path: Path) -> None:
        log = tmp_path / "admin.log"
        with run_function("functions.admin.app.handler", {}, log=log) as admin:
            token = issue_token("a", secret=SECRET, role=Role.ADMIN)
            path = "/api/v1/admin/queue-stats"
            answer = admin.invoke(api_gateway_event("GET", path, token))
            assert json.loads(answer["body"])["queue"]["pending_media"] == 0
            assert admin.invoke(api_gateway_event("GET", path))["statusCode"] == 401

    def test_the_review_page_behind_an_http_api(
        self, installation: Installation, tmp_path: Path
    ) -> None:
        with run_function("functions.admin.app.handler", {}, log=tmp_path / "log") as admin:
            page = admin.invoke(api_gateway_event("GET", "/admin"))
            assert page["headers"]["content-type"].startswith("text/html")
            assert "script-src 'self'" in page["headers"]["content-security-policy"]
            script = admin.invoke(api_gateway_event("GET", "/admin/files/review.js"))
            assert script["headers"]["content-type"].startswith("text/javascript")
            assert script["isBase64Encoded"] is False
            link = sign_in_link("https://api.example", "ada", secret=SECRET, role=Role.MODERATOR)
            base = "/api/v1/admin"

            def post(path: str, body: Any, **headers: str) -> Any:
                event = api_gateway_event("POST", f"{base}{path}")
                event["headers"] |= {"content-type": "application/json", **headers}
                data = json.dumps(body)
                event["headers"]["content-length"] = str(len(data))
                cookies = {"cookies": [cookie]} if (cookie := headers.pop("cookie", "")) else {}
                return admin.invoke({**event, "body": data, **cookies})

            begun = post("/session", {"token": link.partition("#")[2]})
            (cookie,) = begun["cookies"]
            assert {"Secure", "HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
            csrf = json.loads(begun["body"])["csrf"]
            cookie = cookie.partition(";")[0]
            take = {"tab": "tab-00000001"}
            assert post("/review/take", take, cookie=cookie)["statusCode"] == 403
            taken = post("/review/take", take, cookie=cookie, **{"x-photogate-csrf": csrf})
            assert json.loads(taken["body"])["items"] == []


class TestModerate:
    def test_ten_jobs_at_once(
        self,
        installation: Installation,
        moderate: LambdaRuntime,
        pool: Pool,
        portrait: bytes,
        tmp_path: Path,
    ) -> None:
        for number in range(10):
            installation.hand_in(portrait, user=f"u-{number}")
        jobs = [job(batch_id) for batch_id in batches(pool)]
        assert moderate.invoke(event(*jobs)) == {"batchItemFailures": []}
        for number in range(10):
            assert states(installation.client(f"u-{number}")) == {"approved"}
        log = tmp_path / "moderate.log"
        events = read_events([log], LogFilter(batch=batches(pool)[3]))
        assert [e["message"] for e in events] == ["photo moderated"]
        assert events[0]["user_id"] == "u-3"
        assert events[0]["measures"].keys() >= preset("community").required
        metrics = {(m.name, m.dimensions): m for m in read_metrics([log], after=None)}
        approved = metrics["Photos", "by=machine, reason=none, service=moderate, status=approved"]
        assert sum(approved.values) == 10
        assert len(metrics["TimeToVerdict", "service=moderate"].values) == 10
        assert sum(metrics["ColdStarts", "service=moderate"].values) == 1
        newest = PostgresWorkers(pool).newest()
        assert newest is not None
        assert (newest.policy, newest.model) == ("community@4", events[0]["model"])

    def test_only_what_failed_comes_again_and_no_function_error_is_raised(
        self, installation: Installation, moderate: LambdaRuntime, pool: Pool, portrait: bytes
    ) -> None:
        installation.hand_in(portrait)
        answer = moderate.invoke(event("bad", job(batches(pool)[0]), "{}"))
        failed = [item["itemIdentifier"] for item in answer["batchItemFailures"]]
        assert failed == ["m-0", "m-2"]
        assert states(installation.client()) == {"approved"}

    def test_bad_events_are_survived(
        self, installation: Installation, moderate: LambdaRuntime, pool: Pool, portrait: bytes
    ) -> None:
        strangers: list[dict[str, Any]] = [{}, {"Records": []}, {"detail-type": "Scheduled Event"}]
        for stranger in strangers:
            with pytest.raises(FunctionFailed, match="Unexpected batch event type"):
                moderate.invoke(stranger)
        assert len(moderate.invoke(event("bad"))["batchItemFailures"]) == 1
        installation.hand_in(portrait)
        assert moderate.invoke(event(job(batches(pool)[0]))) == {"batchItemFailures": []}

    def test_near_its_deadline_it_hands_back_instead_of_being_cut_off(
        self, installation: Installation, pool: Pool, portrait: bytes, tmp_path: Path
    ) -> None:
        installation.hand_in(portrait, portrait + b"x")
        handler, log = "functions.moderate.app.handler", tmp_path / "late.log"
        with run_function(handler, {}, log=log, timeout_s=1.0) as late:
            answer = late.invoke(event(job(batches(pool)[0])))
        assert len(answer["batchItemFailures"]) == 1
        assert states(installation.client()) == {"pending"}
        confined, in_force, handed_back = read_events([log], LogFilter())
        assert confined["message"].startswith("decoders are confined by limits")
        assert (in_force["policy"], in_force["gates"]["nsfw"]) == ("community@4", "on")
        assert "ran out of time" in handed_back["error"]


def test_after_a_storage_fault_the_job_comes_again_within_seconds(
    on_aws: Installation, portrait: bytes, tmp_path: Path
) -> None:
    (key,) = on_aws.hand_in(portrait)
    endpoint, bucket = os.environ["S3_ENDPOINT"], os.environ["S3_BUCKET_PHOTOS"]
    s3, sqs = boto3.client("s3", endpoint_url=endpoint), boto3.client("sqs", endpoint_url=endpoint)
    queue = os.environ["QUEUE_URL"]

    taken: list[MessageTypeDef] = []

    def receive() -> bool:
        """Take the job for ten minutes, when it is visible."""
        found = sqs.receive_message(
            QueueUrl=queue,
            VisibilityTimeout=600,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["All"],
        )
        taken.extend(found.get("Messages", []))
        return "Messages" in found

    def as_event(message: MessageTypeDef) -> dict[str, Any]:
        made = event(message["Body"])
        made["Records"][0] |= {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "attributes": message["Attributes"],
        }
        return made

    assert receive()
    s3.delete_object(Bucket=bucket, Key=key)
    handler = "functions.moderate.app.handler"
    with run_function(handler, dict(os.environ), log=tmp_path / "log") as moderate:
        answer = moderate.invoke(as_event(taken[0]))
        assert len(answer["batchItemFailures"]) == 1
        s3.put_object(Bucket=bucket, Key=key, Body=portrait, ContentType="image/jpeg")
        eventually(receive, within_s=60)
        assert moderate.invoke(as_event(taken[1])) == {"batchItemFailures": []}
    assert states(on_aws.client()) == {"approved"}
    s3.close()
    sqs.close()


def test_a_round_of_the_sweep_with_a_part_that_failed_is_an_error_and_does_the_others(
    installation: Installation, portrait: bytes, pool: Pool, tmp_path: Path
) -> None:
    installation.hand_in(portrait)
    pool.transaction(
        lambda s: s.count(
            "UPDATE batches SET deliveries = 5, lease_until = NULL, last_error = 'no luck'"
        )
    )
    log = tmp_path / "sweep.log"
    nobody = {"REDIS_URL": "redis://127.0.0.1:1/0"}
    with (
        run_function("functions.sweep.app.handler", nobody, log=log) as sweep,
        pytest.raises(FunctionFailed, match=r"parts of the sweep failed.*: count;"),
    ):
        sweep.invoke({})
    assert states(installation.client()) == {"review"}
    (failures,) = [m for m in read_metrics([log], after=None) if m.name == "SweepFailures"]
    assert ("part=count" in failures.dimensions, list(failures.values)) == (True, [1])
    told = {m.name: list(m.values) for m in read_metrics([log], after=None)}
    assert (told["SweepRounds"], told["ReviewsWaiting"]) == ([1], [1])
    assert 0 < told["OldestReviewAge"][0] < 600
    assert told["OldestBatchAge"] == [0]
    rows = pool.transaction(lambda s: s.rows("SELECT holder, ended_at FROM sweeps"))
    assert [(row["holder"], row["ended_at"] is not None) for row in rows] == [(None, True)]


def test_a_container_whose_sweep_ends_no_round_is_not_healthy(
    installation: Installation, pool: Pool, tmp_path: Path
) -> None:
    def health() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "local.health", "sweep"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    assert health() == (1, "no round of the sweep has ended lately\n")
    with run_function("functions.sweep.app.handler", {}, log=tmp_path / "sweep.log") as sweep:
        sweep.invoke({})
    assert health() == (0, "")
    pool.transaction(lambda s: s.rows("UPDATE sweeps SET ended_at = now() - interval '1 hour'"))
    assert health()[0] == 1


def test_the_sweep_and_the_migration_tell_what_they_did(
    installation: Installation, tmp_path: Path
) -> None:
    with run_function("functions.sweep.app.handler", {}, log=tmp_path / "sweep.log") as sweep:
        assert sweep.invoke({}) == {"resent": 0, "concluded": 0}
    handler = "functions.migrate.app.handler"
    with run_function(handler, {}, log=tmp_path / "migrate.log") as migration:
        assert migration.invoke({}) == {"applied": []}
