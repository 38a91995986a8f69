"""What a deployment sets off by itself: schedules, CloudFormation's stack events, e-mails of topics."""

from __future__ import annotations

import json
import os
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import boto3
from cloudformation_gaps import new_id
from made_resource import MadeResource
from moto.cloudformation import models as cloudformation
from moto.core.common_models import CloudFormationModel
from moto.sns import models as sns
from moto.sqs import models as sqs
from settings import ACCOUNT, Settings, assume

POLL_SECONDS = 0.2
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"

_schedules: dict[str, Schedule] = {}


def install(settings: Settings) -> None:
    _announce_stacks()
    _deliver_mail(settings)
    _do_not_delay()


class Schedule(MadeResource, CloudFormationModel):
    """A schedule of EventBridge Scheduler, which moto does not make from templates."""

    # moto reads the service from the module of a model.
    __module__ = "moto.scheduler.models"

    def __init__(self, name: str, region: str, properties: dict[str, Any]) -> None:
        super().__init__(name)
        self.name, self.region, self.properties = name, region, properties

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Scheduler::Schedule"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Schedule:
        made = cls(resource_name, region_name, cloudformation_json["Properties"])
        _schedules[resource_name] = made
        return made

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Schedule,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Schedule:
        _schedules.pop(original_resource.name, None)
        return cls.create_from_cloudformation_json(
            new_resource_name, cloudformation_json, account_id, region_name
        )

    @classmethod
    def delete_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> None:
        _schedules.pop(resource_name, None)

    def fire(self, settings: Settings) -> None:
        """Sends the deployed input to the deployed queue, with the deployed role's permissions."""
        target = self.properties["Target"]
        *_, service, region, account, queue = target["Arn"].split(":")
        if service != "sqs":
            raise RuntimeError(f"a schedule of {service} is not emulated")
        credentials = assume(target["RoleArn"])
        client = boto3.client(
            "sqs",
            region_name=region,
            endpoint_url=settings.endpoint,
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=credentials["AWS_SESSION_TOKEN"],
        )
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        client.send_message(
            QueueUrl=f"{settings.endpoint}/{account}/{queue}",
            MessageBody=target["Input"].replace(SCHEDULED_TIME, at),
        )


class MailSubscription(MadeResource, CloudFormationModel):
    """A subscription of its own, which moto knows only as a part of its topic."""

    __module__ = "moto.sns.models"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SNS::Subscription"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> MailSubscription:
        properties = cloudformation_json["Properties"]
        made = sns.sns_backends[account_id][region_name].subscribe(
            properties["TopicArn"], properties["Endpoint"], properties["Protocol"]
        )
        return cls(made.arn)

    @classmethod
    def delete_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> None:
        sns.sns_backends[account_id][region_name].unsubscribe(resource_name)


def watch_clock(settings: Settings) -> None:
    """A test moves the clock to a stack's schedules by writing the stack's name to the file `fire`."""
    order = os.path.join(settings.work, "fire")
    while True:
        time.sleep(POLL_SECONDS)
        if not os.path.exists(order):
            continue
        with open(order, encoding="utf-8") as stream:
            stack = stream.read().strip()
        os.remove(order)
        for schedule in list(_schedules.values()):
            if not schedule.name.startswith(f"{stack}-"):
                continue
            try:
                schedule.fire(settings)
            except Exception:
                traceback.print_exc()


def _announce_stacks() -> None:
    """CloudFormation tells EventBridge of every change of a stack's status."""
    original = cloudformation.Stack._add_stack_event

    def add(self: Any, resource_status: str, *args: Any, **kwargs: Any) -> None:
        original(self, resource_status, *args, **kwargs)
        detail = {"stack-id": self.stack_id, "status-details": {"status": resource_status}}
        put_on_bus(
            self.region_name,
            "aws.cloudformation",
            "CloudFormation Stack Status Change",
            self.stack_id,
            detail,
        )

    cloudformation.Stack._add_stack_event = add


def put_on_bus(
    region: str, source: str, detail_type: str, resource: str, detail: dict[str, Any]
) -> None:
    from moto.events.models import events_backends

    event = {
        "version": "0",
        "id": new_id(),
        "source": source,
        "detail-type": detail_type,
        "account": ACCOUNT,
        "time": time.time(),
        "region": region,
        "resources": [resource],
        "detail": detail,
    }
    for bus in events_backends[ACCOUNT][region].event_buses.values():
        for rule in bus.rules.values():
            rule.send_to_targets(event, transform_input=False)


def _deliver_mail(settings: Settings) -> None:
    """An e-mail is a line in the log of its address; confirming a subscription is taken for granted."""
    original = sns.Subscription.publish

    def publish(self: Any, message: str, message_id: str, subject: str | None = None, **kwargs: Any) -> None:
        if self.protocol != "email":
            original(self, message, message_id, subject=subject, **kwargs)
            return
        with open(settings.log_file("mail", self.endpoint), "a", encoding="utf-8") as stream:
            stream.write(json.dumps({"subject": subject, "text": message}) + "\n")

    sns.Subscription.publish = publish


def _do_not_delay() -> None:
    """Every invocation is a new process: there is no warm function to wait for."""
    original = sqs.Queue.add_message

    def add(self: Any, message: Any) -> None:
        message.delayed_until = 0
        original(self, message)

    sqs.Queue.add_message = add
