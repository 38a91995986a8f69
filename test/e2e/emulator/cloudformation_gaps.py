"""What moto's CloudFormation leaves out and the site stack needs."""

from __future__ import annotations

from typing import Any

from moto.batch import models as batch
from moto.cloudformation import models as cloudformation
from moto.cloudformation import parsing
from moto.ec2.models import ec2_backends
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.subnets import SubnetRouteTableAssociation
from moto.ec2.models.vpcs import VPCEndPoint
from moto.events import models as events
from moto.iam import models as iam
from moto.kms import models as kms
from moto.moto_api._internal import mock_random
from moto.s3 import models as s3

SERVICE_ROLE = "AWSServiceRoleForBatch"


def fill() -> None:
    _newest_gpu_image()
    _outputs_of_change_sets()
    _batch_attributes()
    _batch_service_role()
    _batch_timeout()
    _bucket_settings()
    _key_tags()
    _schedules_match_no_event()
    _roles_let_go_of_policies()
    _networks_can_be_deleted()
    _defaults_stay()


def _newest_gpu_image() -> None:
    """ECS publishes the ids of its images as parameters of Systems Manager; moto lacks this one."""
    original = parsing.ResourceMap.parse_ssm_parameter

    def parse(self: Any, value: str, value_type: str) -> str:
        if value == "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id":
            return "ami-0123456789abcdef0"
        return original(self, value, value_type)

    parsing.ResourceMap.parse_ssm_parameter = parse


def _outputs_of_change_sets() -> None:
    """moto makes a stack's outputs of the empty template that it had before its first change set."""
    original = cloudformation.CloudFormationBackend.execute_change_set

    def execute(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
        original(self, change_set_name, stack_name)
        for stack in self.stacks.values():
            if not stack.output_map._output_json_map and '"Outputs"' in stack.template:
                stack._parse_template()
                stack.output_map = stack._create_output_map()

    cloudformation.CloudFormationBackend.execute_change_set = execute


def _batch_attributes() -> None:
    def has(cls: type, attribute: str) -> bool:
        return attribute.endswith("Arn")

    def get(self: Any, attribute: str) -> str:
        return str(self.arn)

    removers = {
        batch.JobQueue: "_job_queues",
        batch.ComputeEnvironment: "_compute_environments",
        batch.JobDefinition: "_job_definitions",
    }
    for model, collection in removers.items():
        model.has_cfn_attr = classmethod(has)  # type: ignore[attr-defined]
        model.get_cfn_attribute = get  # type: ignore[attr-defined]
        model.delete = _remover(collection)  # type: ignore[attr-defined]


def _remover(collection: str) -> Any:
    def delete(self: Any, account_id: str, region_name: str) -> None:
        backend = batch.batch_backends[account_id][region_name]
        getattr(backend, collection).pop(self.arn, None)
        if instances := [instance.id for instance in getattr(self, "instances", [])]:
            backend.ec2_backend.terminate_instances(instances)

    return delete


def _batch_service_role() -> None:
    """Batch makes its service-linked role by itself where none is named."""
    original = batch.ComputeEnvironment.create_from_cloudformation_json.__func__

    def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        backend = iam.iam_backends[account_id]["aws"]
        role = next((role for role in backend.roles.values() if role.name == SERVICE_ROLE), None)
        if role is None:
            role = backend.create_role(SERVICE_ROLE, "{}", "/", None, None, [], 3600)
        cloudformation_json["Properties"].setdefault("ServiceRole", role.arn)
        return original(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)

    batch.ComputeEnvironment.create_from_cloudformation_json = classmethod(create)


def _batch_timeout() -> None:
    """moto looks for `timeout` in lower case, which no template has."""
    original = batch.JobDefinition.create_from_cloudformation_json.__func__

    def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        if "Timeout" in properties:
            properties["timeout"] = properties["Timeout"]
        return original(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)

    batch.JobDefinition.create_from_cloudformation_json = classmethod(create)


def _bucket_settings() -> None:
    """Versioning and EventBridge delivery, which moto drops."""
    original = s3.FakeBucket.create_from_cloudformation_json.__func__

    def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        bucket = original(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
        properties = cloudformation_json.get("Properties", {})
        status = properties.get("VersioningConfiguration", {}).get("Status")
        if status is not None:
            bucket.versioning_status = status
        notifications = properties.get("NotificationConfiguration", {})
        if notifications.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled") in (True, "true"):
            bucket.set_notification_configuration({"EventBridgeConfiguration": {}})
        return bucket

    s3.FakeBucket.create_from_cloudformation_json = classmethod(create)


def _key_tags() -> None:
    """KMS's own API spells tags differently from CloudFormation; moto mixes them up."""
    original = kms.Key.create_from_cloudformation_json.__func__

    def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        properties["Tags"] = [
            {"TagKey": tag["Key"], "TagValue": tag["Value"]} if "Key" in tag else tag
            for tag in properties.get("Tags", [])
        ]
        return original(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)

    kms.Key.create_from_cloudformation_json = classmethod(create)


def _schedules_match_no_event() -> None:
    """moto lets a rule that has only a schedule match every event."""
    original = events.Rule.send_to_targets

    def send_to_targets(self, original_event, transform_input=True):
        if self.scheduled_expression is None:
            original(self, original_event, transform_input)

    events.Rule.send_to_targets = send_to_targets


def _roles_let_go_of_policies() -> None:
    """CloudFormation detaches policies from a role that it deletes."""
    original = iam.Role.delete_from_cloudformation_json.__func__

    def delete(cls, resource_name, cloudformation_json, account_id, region_name):
        role = iam.iam_backends[account_id]["aws"].get_role(resource_name)
        for policy in list(role.managed_policies.values()):
            policy.detach_from(role)
        original(cls, resource_name, cloudformation_json, account_id, region_name)

    iam.Role.delete_from_cloudformation_json = classmethod(delete)


def _networks_can_be_deleted() -> None:
    """moto makes route tables and endpoints from templates but does not delete them."""

    def delete_route_table(self: Any, account_id: str, region_name: str) -> None:
        backend = ec2_backends[account_id][region_name]
        users = [one for one in backend.vpc_end_points.values() if self.id in (one.route_table_ids or [])]
        if any(one.state != "deleted" for one in users):
            # CloudFormation would have begun with the endpoint; moto comes back in its next round.
            raise RuntimeError(f"{self.id} is used by an endpoint")
        backend.route_tables.pop(self.id, None)

    def delete_endpoint(self: Any, account_id: str, region_name: str) -> None:
        ec2_backends[account_id][region_name].delete_vpc_endpoints([self.id])

    def delete_association(self: Any, account_id: str, region_name: str) -> None:
        """It goes with its route table."""

    SubnetRouteTableAssociation.delete = delete_association
    RouteTable.delete = delete_route_table
    VPCEndPoint.delete = delete_endpoint


def _defaults_stay() -> None:
    """A parameter that was never given keeps its default in an update; moto looks for its value."""
    original = cloudformation.CloudFormationBackend._resolve_update_parameters

    def resolve(self: Any, instance: Any, incoming_params: list[dict[str, Any]]) -> dict[str, str]:
        given = [
            parameter
            for parameter in incoming_params
            if not parameter.get("UsePreviousValue") or parameter["ParameterKey"] in instance.parameters
        ]
        return original(self, instance, given)

    cloudformation.CloudFormationBackend._resolve_update_parameters = resolve


def new_id() -> str:
    return str(mock_random.uuid4())
