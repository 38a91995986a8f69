"""What stands between a job and the emulator: the endpoints of the job's own network, and their policies."""

from __future__ import annotations

import fnmatch
import http.client
import json
import os
import re
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

from settings import ACCOUNT, Settings

SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")

# The names by which endpoints and signatures call a service, where they differ.
SIGNED_AS = {"ecr.api": "ecr", "ecr.dkr": "ecr", "ecs-agent": "ecs", "ecs-telemetry": "ecs"}

_recording = threading.Lock()


def record(settings: Settings, kind: str, line: dict[str, str]) -> None:
    path = os.path.join(settings.verdicts(), f"{kind}.jsonl")
    with _recording, open(path, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


class Endpoints:
    """The VPC endpoints that a job's compute environments can reach, by the service's name in signatures."""

    def __init__(self, job: Any) -> None:
        from moto.ec2.models import ec2_backends

        backend = ec2_backends[ACCOUNT][job.job_definition._region]
        subnets = {
            subnet
            for environment in job.job_queue.environments
            for subnet in environment.compute_resources.get("subnets", [])
        }
        networks = {one.vpc_id for one in backend.describe_subnets() if one.id in subnets}
        self.policies: dict[str, list[dict[str, Any]]] = {}
        for endpoint in backend.vpc_end_points.values():
            if endpoint.vpc_id not in networks or endpoint.state == "deleted":
                continue
            name = endpoint.service_name.split(".", 3)[-1]
            document = endpoint.policy_document
            policy = json.loads(document) if isinstance(document, str) else document
            self.policies.setdefault(SIGNED_AS.get(name, name), []).extend(policy["Statement"])

    def verdict(self, service: str, resource: str, account: str) -> str | None:
        """Why a call does not get through; None where it does."""
        if service not in self.policies:
            return f"denied: the network has no endpoint for {service}"
        for statement in self.policies[service]:
            conditions = statement.get("Condition", {}).get("StringEquals", {})
            resources = statement["Resource"]
            names = resources if isinstance(resources, list) else [resources]
            if (
                statement["Effect"] == "Allow"
                and conditions.get("aws:PrincipalAccount", account) == account
                and (service != "s3" or any(fnmatch.fnmatchcase(resource, name) for name in names))
            ):
                return None
        return f"denied by the policy of the endpoint for {service}"


def account_of(access_key: str) -> str:
    """Whose credentials these are: ours where they are of a role that the emulator has given out."""
    from moto.sts.models import sts_backends

    role = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(access_key)
    return ACCOUNT if role else "another account"


class Gate(socketserver.ThreadingUnixStreamServer):
    """One job's way to the emulator, at a path in the file system: namespaces of networks share that."""

    daemon_threads = True

    def __init__(self, settings: Settings, job: Any) -> None:
        self.settings, self.endpoints, self.job_name = settings, Endpoints(job), job.job_name
        self.path = os.path.join(settings.work, f"{os.urandom(6).hex()}.sock")
        super().__init__(self.path, Passage)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        os.unlink(self.path)


class Passage(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gate

    def log_message(self, *_: object) -> None:
        """The emulator's own output is for its defects."""

    def address_string(self) -> str:
        return "job"

    def handle_request(self) -> None:
        body = self.read_body()
        found = SCOPE.search(self.headers.get("Authorization", ""))
        service = found.group(3) if found else "an unsigned call"
        # A bucket may be named by the host.
        bucket = self.headers.get("Host", "").removesuffix(f"localhost:{self.server.settings.port}")
        resource = "arn:aws:s3:::" + (bucket.replace(".", "/") + self.path.split("?")[0].lstrip("/"))
        reason = self.server.endpoints.verdict(
            service, resource, account_of(found.group(1)) if found else "nobody"
        )
        if reason is not None:
            what = f"{service} {resource}" if service == "s3" else service
            line = {"who": self.server.job_name, "what": what, "verdict": reason}
            record(self.server.settings, "network", line)
            # No answer, as from a network without a way.
            self.close_connection = True
            return
        self.pass_on(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_request

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def pass_on(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.settings.port)
        # As signed: the host is part of the signature.
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("transfer-encoding", "expect")}
        upstream.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", size or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        upstream.close()
