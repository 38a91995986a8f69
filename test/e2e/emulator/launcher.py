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

import batch_jobs
import cloudformation_gaps
import container
import iam_checks
import lambda_functions
import site_events
from settings import ACCOUNT, Settings


def administrator() -> dict[str, str]:
    """A user who may do everything, for when permissions are checked."""
    from moto.iam.models import iam_backends

    iam = iam_backends[ACCOUNT]["aws"]
    iam.create_user(region_name="us-east-1", user_name="administrator")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_user_policy("administrator", "everything", policy)
    key = iam.create_access_key("administrator")
    return {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret_access_key}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--image", action="append", default=[])
    arguments = parser.parse_args()
    images = dict(pair.split("=", 1) for pair in arguments.image)
    softer = container.missing(list(images.values()))
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
    for loop in (lambda_functions.poll_queues, site_events.watch_clock):
        threading.Thread(target=loop, args=(settings,), daemon=True).start()

    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=arguments.port, verbose=False)
    server.start()
    print(json.dumps({"ready": True, "softer": softer, **administrator()}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
