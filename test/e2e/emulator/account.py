"""What AWS knows of an account besides its resources: quotas, limits, what zones offer, who has confirmed.

moto has none of it, or one answer for everybody. Here an account is as a new one is at AWS (no GPU may
start, ten functions run at once, a mail is not confirmed by itself) but for what `account.json` in the
work folder says, which a test writes:

    {"quotas": {"L-3819A6DF": 32}, "functions": 1000, "withoutEndpoint": {"us-east-1a": ["ecs-agent"]},
     "image": "2026-01-01T00:00:00Z", "environments": {"status": "INVALID", "reason": "..."},
     "unconfirmed": ["it@example.org"], "waiting": "MISCONFIGURATION:..."}
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any

from moto.awslambda import responses as lambda_responses
from moto.awslambda import urls as lambda_urls
from moto.batch import models as batch
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.servicequotas import models as quotas
from moto.servicequotas import responses as quota_responses
from moto.servicequotas.exceptions import NoSuchResource
from moto.sns import models as sns
from settings import ACCOUNT, Settings

# As AWS gives them to a new account.
DEFAULTS = {
    ("ec2", "L-3819A6DF"): 0,
    ("ec2", "L-DB2E81BA"): 0,
    ("ec2", "L-7212CCBC"): 0,
    ("ec2", "L-C4BD4855"): 0,
    ("ec2", "L-417A185B"): 0,
    ("lambda", "L-B99A9384"): 1000,
    ("vpc", "L-F678F1CE"): 5,
}

# Served by AWS in every zone; moto's list lacks some.
ENDPOINT_SERVICES = ("ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs")

MACHINE_IMAGE = "ami-0123456789abcdef0"


def install(settings: Settings) -> None:
    def account() -> dict[str, Any]:
        file = os.path.join(settings.work, "account.json")
        if not os.path.exists(file):
            return {}
        with open(file, encoding="utf-8") as stream:
            return json.load(stream)

    _serve_quotas(account)
    _serve_function_limits(account)
    _serve_endpoint_zones(account)
    _serve_environments(account)
    _make_machine_image(account)
    _wait_for_confirmation(account)


def _serve_quotas(account: Any) -> None:
    def quota(service: str, code: str, value: float) -> dict[str, Any]:
        return {"ServiceCode": service, "QuotaCode": code, "Value": value}

    def applied(self: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        # Of a quota that nobody has asked to change, AWS has no applied value in some regions.
        value = account().get("quotas", {}).get(quota_code)
        if value is None or (service_code, quota_code) not in DEFAULTS:
            raise NoSuchResource
        return quota(service_code, quota_code, value)

    def default(self: Any) -> str:
        asked = json.loads(self.body)
        key = (asked["ServiceCode"], asked["QuotaCode"])
        if key not in DEFAULTS:
            raise NoSuchResource
        return json.dumps({"Quota": quota(*key, DEFAULTS[key])})

    quotas.ServiceQuotasBackend.get_service_quota = applied
    quota_responses.ServiceQuotasResponse.get_aws_default_service_quota = default


def _serve_function_limits(account: Any) -> None:
    def settings_of(self: Any) -> str:
        limit = account().get("functions", 10)
        reserved = sum(
            int(function.reserved_concurrency or 0) for function in self.backend.list_functions(None)
        )
        answer = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": limit - reserved}
        return json.dumps({"AccountLimit": answer, "AccountUsage": {}})

    lambda_responses.LambdaResponse.get_account_settings = settings_of
    path = r"{0}/(?P<api_version>[^/]+)/account-settings/?$"
    lambda_urls.url_paths[path] = lambda_responses.LambdaResponse.dispatch


def _serve_endpoint_zones(account: Any) -> None:
    original = VPCBackend.describe_vpc_endpoint_services

    def describe(self: Any, service_names: Any, filters: Any, *args: Any, region: str, **kwargs: Any) -> Any:
        wanted = {
            value for one in filters or [] if one["Name"] == "service-name" for value in one["Values"]
        }
        if not wanted:
            return original(self, service_names, filters, *args, region=region, **kwargs)
        zones = [zone.name for zone in self.describe_availability_zones()]
        without = account().get("withoutEndpoint", {})
        details = [
            {
                "ServiceName": f"com.amazonaws.{region}.{service}",
                "ServiceType": [{"ServiceType": "Interface"}],
                "AvailabilityZones": [zone for zone in zones if service not in without.get(zone, [])],
                "Owner": "amazon",
            }
            for service in ENDPOINT_SERVICES
            if f"com.amazonaws.{region}.{service}" in wanted
        ]
        names = [one["ServiceName"] for one in details]
        return {"servicesDetails": details, "serviceNames": names, "nextToken": None}

    VPCBackend.describe_vpc_endpoint_services = describe


def _serve_environments(account: Any) -> None:
    original = batch.BatchBackend.describe_compute_environments

    def describe(self: Any, environments: Any = None) -> list[dict[str, Any]]:
        found = original(self, environments)
        planted = account().get("environments")
        if planted:
            for one in found:
                one["status"], one["statusReason"] = planted["status"], planted["reason"]
        return found

    batch.BatchBackend.describe_compute_environments = describe

    described = batch.Job.describe

    def describe_job(self: Any) -> dict[str, Any]:
        """Batch says of the job at the head of a blocked queue why it waits."""
        result = described(self)
        reason = account().get("waiting")
        if reason and result["status"] == "RUNNABLE":
            result["statusReason"] = reason
        return result

    batch.Job.describe = describe_job


def _make_machine_image(account: Any) -> None:
    """The image that instances start from is there, of today unless `image` says of when; "" is gone."""
    original = AmiBackend.describe_images

    def describe(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = account().get("image")
        if made == "":
            self.amis.pop(MACHINE_IMAGE, None)
        elif MACHINE_IMAGE not in self.amis:
            backend = ec2_backends[ACCOUNT][self.region_name]
            zone = f"{self.region_name}a"
            self.amis[MACHINE_IMAGE] = Ami(backend, MACHINE_IMAGE, region_name=zone, public=True)
        if made != "":
            when = datetime.fromisoformat(made) if made else datetime.now(UTC)
            self.amis[MACHINE_IMAGE].creation_date = when
        return original(self, *args, **kwargs)

    AmiBackend.describe_images = describe


def _wait_for_confirmation(account: Any) -> None:
    """Until its owner has confirmed it, an address has no subscription ARN and gets no mail."""

    def is_pending(subscription: Any) -> bool:
        return subscription.protocol == "email" and subscription.endpoint in account().get(
            "unconfirmed", []
        )

    original = sns.SNSBackend.list_subscriptions_by_topic

    class Pending:
        def __init__(self, subscription: Any) -> None:
            self.__dict__.update(subscription.__dict__)
            self.arn, self.topic_arn = "PendingConfirmation", subscription.topic_arn

    def by_topic(self: Any, topic_arn: str, next_token: Any = None) -> Any:
        found, token = original(self, topic_arn, next_token)
        return [Pending(one) if is_pending(one) else one for one in found], token

    sns.SNSBackend.list_subscriptions_by_topic = by_topic

    publish = sns.Subscription.publish

    def publish_confirmed(self: Any, *args: Any, **kwargs: Any) -> None:
        if not is_pending(self):
            publish(self, *args, **kwargs)

    sns.Subscription.publish = publish_confirmed
