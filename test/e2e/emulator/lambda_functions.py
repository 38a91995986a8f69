"""Runs deployed functions as Node processes, and feeds them from their queues."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tempfile
import threading
import time
import traceback
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from moto.awslambda import models as awslambda
from moto.sqs import models as sqs
from settings import ACCOUNT, Settings

INVOKE = os.path.join(os.path.dirname(__file__), "invoke.mjs")
POLL_SECONDS = 0.2

# A failed message comes back after this instead of its visibility timeout of minutes: the emulated
# clock of retries runs faster, their number is the deployed one.
RETRY_SECONDS = 1


def install(settings: Settings) -> None:
    # moto would hand messages to functions as they arrive, in the sender's thread, without retries
    # or partial failures. The poller below does it as Lambda does.
    sqs.Queue.lambda_event_source_mappings = property(  # type: ignore[assignment]
        lambda self: {}, lambda self, value: None
    )

    # A message that moved to a dead-letter queue starts counting anew; moto goes on counting.
    add_message = sqs.Queue.add_message

    def add(self: Any, message: Any) -> None:
        message.approximate_receive_count = 0
        add_message(self, message)

    sqs.Queue.add_message = add

    def invoke(self: Any, body: str, request_headers: Any, response_headers: Any) -> bytes:
        ok, answer = run(settings, self, json.loads(body or "null"))
        if not ok:
            response_headers["x-amz-function-error"] = "Unhandled"
        return json.dumps(answer).encode()

    awslambda.LambdaFunction.invoke = invoke


def run(settings: Settings, function: Any, event: Any) -> tuple[bool, Any]:
    """Calls the deployed handler of the deployed zip in a new process, with the deployed settings."""
    module, handler = function.handler.rsplit(".", 1)
    with tempfile.TemporaryDirectory() as scratch:
        event_file, result_file = os.path.join(scratch, "event"), os.path.join(scratch, "result")
        with open(event_file, "w", encoding="utf-8") as stream:
            json.dump(event, stream)
        log_file = settings.log_file("lambda", function.function_name)
        with open(log_file, "ab") as log:
            completed = subprocess.run(
                ["node", INVOKE, os.path.join(unpack(settings, function), module), handler, event_file, result_file],
                env={
                    **settings.process_environment(function.region, function.role),
                    **function.environment_vars,
                    "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
                    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
                    "_X_AMZN_TRACE_ID": f"Root=1-{int(time.time()):x}-{os.urandom(12).hex()};Sampled=1",
                },
                stdout=log,
                stderr=log,
                timeout=int(function.timeout),
                check=False,
            )
        if not os.path.exists(result_file):
            return False, {"errorMessage": f"the process ended with {completed.returncode}"}
        with open(result_file, encoding="utf-8") as stream:
            result = json.load(stream)
    return result["ok"], result["value"]


_unpacking = threading.Lock()


def unpack(settings: Settings, function: Any) -> str:
    digest = hashlib.sha256(function.code_bytes).hexdigest()
    folder = os.path.join(settings.work, "code", digest)
    with _unpacking:
        if not os.path.isdir(folder):
            with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
                archive.extractall(folder)
    return folder


def poll_queues(settings: Settings) -> None:
    """What Lambda's pollers do: receive, call, delete; a message that fails comes back."""
    pool = ThreadPoolExecutor(max_workers=4)
    while True:
        time.sleep(POLL_SECONDS)
        for region, backend in list(awslambda.lambda_backends[ACCOUNT].items()):
            for mapping in list(backend._event_source_mappings.values()):
                if mapping.enabled:
                    poll(settings, pool, region, mapping)


def poll(settings: Settings, pool: ThreadPoolExecutor, region: str, mapping: Any) -> None:
    queues = sqs.sqs_backends[ACCOUNT][region]
    name = mapping.event_source_arn.split(":")[-1]
    if name not in queues.queues:
        return
    timeout = int(queues.queues[name].visibility_timeout)
    for message in queues.receive_message(name, int(mapping.batch_size or 10), 0, timeout):
        pool.submit(deliver, settings, region, mapping, name, message)


def deliver(settings: Settings, region: str, mapping: Any, queue: str, message: Any) -> None:
    queues = sqs.sqs_backends[ACCOUNT][region]
    try:
        function = awslambda.lambda_backends[ACCOUNT][region].get_function(mapping.function_arn)
        ok, answer = run(settings, function, {"Records": [record(region, mapping, message)]})
        failed = answer.get("batchItemFailures", []) if ok and isinstance(answer, dict) else []
        if ok and not failed:
            queues.delete_message(queue, message.receipt_handle)
            return
    except Exception:
        traceback.print_exc()
    queues.change_message_visibility(queue, message.receipt_handle, RETRY_SECONDS)


def record(region: str, mapping: Any, message: Any) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.approximate_receive_count)},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.event_source_arn,
        "awsRegion": region,
    }
