"""What each role may do is what the code of its function calls: no more, and no less.

The calls are read from the source: from the handler to the ports that it uses (by the types of
arguments and fields), and from a port's method to the calls of boto3 in its adapter.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from tests.unit.reach import Symbol, node_of, path_of, reachable
from tests.unit.test_template import FUNCTIONS, ROOT, listed, policies, resources, walk

pytestmark = pytest.mark.quick

STORE = Symbol("photogate.adapters.photos_s3", "S3PhotoStore")
JOBS = Symbol("photogate.adapters.queue_sqs", "SqsQueue")
PARCELS = Symbol("photogate.adapters.notices_sqs", "SqsParcels")
RECEIPTS = Symbol("photogate.adapters.notices_sqs", "SqsReceipts")
#: A port, as annotations name it, and what stands behind it on AWS.
BEHIND = {
    "PhotoStore": [STORE],
    "Store": [STORE],
    "JobSender": [JOBS],
    "JobReceiver": [JOBS],
    "JobMonitor": [JOBS],
    "Queue": [JOBS],
    "Parcels": [PARCELS],
    "Receipts": [RECEIPTS],
    "Probe": [STORE, JOBS],
}
#: What a call of boto3 needs. S3 tells "not there" only to who may list.
NEEDS = {
    "put_object": {"s3:PutObject"},
    "get_object": {"s3:GetObject", "s3:ListBucket"},
    "head_object": {"s3:GetObject", "s3:ListBucket"},
    "delete_object": {"s3:DeleteObject"},
    "head_bucket": {"s3:ListBucket"},
    "send_message": {"sqs:SendMessage"},
    "receive_message": {"sqs:ReceiveMessage"},
    "delete_message": {"sqs:DeleteMessage"},
    "change_message_visibility": {"sqs:ChangeMessageVisibility"},
    "change_message_visibility_batch": {"sqs:ChangeMessageVisibility"},
    "get_queue_attributes": {"sqs:GetQueueAttributes"},
    # By `photogate queue purge`, with the credentials of a shell: no function calls it.
    "purge_queue": {"sqs:PurgeQueue"},
    "get_secret_value": {"secretsmanager:GetSecretValue"},
}
#: No call of ours: what Lambda and its pollers do with the function's role.
LAMBDAS_OWN = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
}
#: With a key of one's own, S3 and Secrets Manager use it in the caller's name.
WITH_A_KEY = {"kms:Decrypt", "kms:GenerateDataKey"}
POLLER = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}


def entries(function: str) -> list[Symbol]:
    """Give the handler, and what its module does when it is imported."""
    package = FUNCTIONS[function].get("Handler", "functions.moderate.app.handler")
    module = package.removesuffix(".handler")
    return [Symbol(module, "handler"), Symbol(module)]


def used_ports(symbols: set[Symbol]) -> set[tuple[str, str]]:
    """Give (port, method) of every call on something that is annotated as a port."""
    found = set()
    for module in {symbol.module for symbol in symbols}:
        if module.startswith("photogate.adapters"):
            continue
        nodes = [node_of(s) for s in symbols if s.module == module]
        ports = {
            name: port
            for node in nodes
            for name, annotation in _annotated(node)
            for port in BEHIND
            if port in _names(annotation)
        }
        for node in nodes:
            for call in ast.walk(node):
                if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                    continue
                on = call.func.value
                name = on.attr if isinstance(on, ast.Attribute) else getattr(on, "id", "")
                if port := ports.get(name.lstrip("_")):
                    found.add((port, call.func.attr))
    return found


def _annotated(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for part in ast.walk(node):
        if isinstance(part, ast.arg) and part.annotation:
            yield part.arg, part.annotation
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            yield part.target.id, part.annotation


def _names(annotation: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}


@cache
def calls(adapter: Symbol, method: str) -> frozenset[str]:
    """Give the calls of boto3 that one method of an adapter makes, by its own methods too."""
    whole = node_of(adapter)
    assert isinstance(whole, ast.ClassDef)
    methods = {n.name: n for n in whole.body if isinstance(n, ast.FunctionDef)}
    found, todo, seen = set[str](), [method], set[str]()
    while todo:
        name = todo.pop()
        if name in seen or name not in methods:
            continue
        seen.add(name)
        for part in ast.walk(methods[name]):
            if isinstance(part, ast.Attribute):
                todo.append(part.attr)
                if part.attr in NEEDS:
                    found.add(part.attr)
            if isinstance(part, ast.Constant) and part.value in NEEDS:
                found.add(str(part.value))  # generate_presigned_url("put_object", …)
    return frozenset(found)


@cache
def needed(function: str) -> frozenset[str]:
    """Give the actions that a function's code calls for."""
    symbols = reachable(*entries(function))
    names = {
        call
        for port, method in used_ports(symbols)
        for adapter in BEHIND[port]
        for call in calls(adapter, method)
    }
    for symbol in symbols:
        if symbol.module == "photogate.adapters.secrets_aws":
            names |= {n.attr for n in ast.walk(node_of(symbol)) if isinstance(n, ast.Attribute)} & {
                "get_secret_value"
            }
    actions = {action for name in names for action in NEEDS[name]}
    events = FUNCTIONS[function].get("Events", {}).values()
    return frozenset(actions | (POLLER if any(e["Type"] == "SQS" for e in events) else set()))


def allowed(function: str) -> set[str]:
    """Give the actions of a function's role, its shared policy included."""
    role = resources("AWS::IAM::Role")[f"{function.removesuffix('Function')}Role"]
    shared = [policies()[p["Ref"]] for p in role.get("ManagedPolicyArns", [])]
    return {
        action
        for _, part in walk([role["Policies"], shared])
        if isinstance(part, dict) and part.get("Effect") == "Allow"
        for action in listed(part["Action"])
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_may_do_what_its_code_calls_and_nothing_else(function: str) -> None:
    assert allowed(function) - LAMBDAS_OWN - WITH_A_KEY == needed(function)


def test_every_call_of_boto3_is_known() -> None:
    """A new call has to be given its action here, and then its place in a role."""
    for path in (ROOT / "layers" / "core" / "photogate" / "adapters").glob("*.py"):
        # That one runs with the credentials of a shell.
        if path.name == "stack_aws.py" or "boto" not in path.read_text("utf-8"):
            continue
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                on = call.func.value
                client = on.attr if isinstance(on, ast.Attribute) else getattr(on, "id", "")
                if client in ("_s3", "_sqs", "_client", "client", "_presigner"):
                    known = {*NEEDS, "close", "generate_presigned_url"}
                    assert call.func.attr in known, f"{path.name}: {call.func.attr}"


def test_the_reading_finds_what_is_there() -> None:
    """Guards the tests above against finding nothing."""
    assert calls(JOBS, "redrive") == {"send_message", "receive_message", "delete_message"}
    assert calls(STORE, "presign_put") == {"put_object"}
    assert calls(STORE, "head") >= {"head_object"}
    moderate = reachable(*entries("ModerateFunction"))
    assert Symbol("photogate.service.moderate", "Moderation") in moderate
    assert ("JobReceiver", "nack") in used_ports(moderate)
    assert not any(symbol.module == "photogate.service.redrive" for symbol in moderate)
    assert all(path_of(symbol.module) for symbol in moderate)
