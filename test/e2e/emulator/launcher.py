"""moto's server, made to run what a deployment deploys.

moto answers AWS's control plane. This launcher adds what runs behind it, from what was deployed and
nothing else: functions are the deployed zips, called with the deployed handler, environment and
role; jobs are the deployed job definitions' commands, environments, roles, retries and timeouts, as
local processes; queues feed functions through the deployed event source mappings.

    python launcher.py --port 5566 --work DIR --image URI=DIR

`--image` says which folder stands for a container image. DIR gets a log file per function and job.
"""

from __future__ import annotations

import argparse
import json
import os
import threading

import account
import batch_jobs
import budgets_gap  # noqa: F401 (a model is known by its being imported)
import cloudformation_gaps
import container
import iam_checks
import lambda_functions
import s3_calls
import secrets_gap  # noqa: F401 (the same)
import site_events
from settings import ACCOUNT, Settings


def user(name: str, *statements: dict[str, str]) -> dict[str, str]:
    """Credentials of a user who may do that, for when permissions are checked."""
    from moto.iam.models import iam_backends

    iam = iam_backends[ACCOUNT]["aws"]
    iam.create_user(region_name="us-east-1", user_name=name)
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(name, name, policy)
    key = iam.create_access_key(name)
    return {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret_access_key}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--image", action="append", default=[])
    arguments = parser.parse_args()
    images = dict(pair.split("=", 1) for pair in arguments.image)
    softer = container.missing()
    settings = Settings(
        port=arguments.port,
        work=os.path.abspath(arguments.work),
        images=images,
        confined=softer is None,
    )

    cloudformation_gaps.fill()
    iam_checks.install(settings)
    lambda_functions.install(settings)
    batch_jobs.install(settings)
    site_events.install(settings)
    account.install(settings)
    s3_calls.install(settings)
    for loop in (lambda_functions.poll_queues, site_events.watch_clock):
        threading.Thread(target=loop, args=(settings,), daemon=True).start()

    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=arguments.port, verbose=False)
    server.start()
    administrator = user("administrator", {"Effect": "Allow", "Action": "*", "Resource": "*"})
    nobody = user("nobody")
    ready = {"softer": softer, "administrator": administrator, "nobody": nobody}
    print(json.dumps({"ready": True, **ready}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
