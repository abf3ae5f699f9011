"""SQS, SNS, KMS and SSM around moto: the resource's own account, its policy documents, SNS' fan-out.

Sources: AWS API models sqs, sns, kms, ssm (botocore 1.44.5). An SQS call names its queue's account in the
queue URL, an SNS call in the topic's ARN, a KMS call in the key's ARN; else it is the caller's.
"""

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from snowpipe_sandbox.aws import stores
from snowpipe_sandbox.aws.calls import Call
from snowpipe_sandbox.aws.delivery import publish
from snowpipe_sandbox.aws.errors import AwsError, NotEmulated, new_request_id
from snowpipe_sandbox.aws.http import HttpRequest, HttpResponse
from snowpipe_sandbox.aws.iam import Principal
from snowpipe_sandbox.aws.moto import Moto
from snowpipe_sandbox.aws.principals import Directory
from snowpipe_sandbox.aws.targets import queue_arn_of
from snowpipe_sandbox.aws.validation import check_resource_document

_SNS_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
_LONGEST_PARAMETER = 4_096
_SUBSCRIPTION_ATTRIBUTES = ("RawMessageDelivery",)


class Messaging:
    """Calls to the services that are moto's but for accounts and policies."""

    def __init__(self, moto: Moto, directory: Directory) -> None:
        self._moto = moto
        self._directory = directory

    def run(self, call: Call, caller: Principal, now: datetime) -> HttpResponse:
        """Do an authorised call in the account of what it names."""
        self._check_policies(call)
        if call.name == "sns:Publish":
            return self._publish(call, now)
        if call.name == "ssm:PutParameter":
            _check_parameter(call)
        if call.name == "kms:CreateGrant":
            _check_grant(call)
        if call.name == "kms:ListGrants" and set(call.parameters) - {"KeyId", "Limit", "Marker"}:
            raise NotEmulated("kms:ListGrants of some grants")
        if call.name == "sns:SetSubscriptionAttributes":
            self._check_subscription_attribute(call)
        if call.name == "sns:Subscribe" and call.text("Protocol") != "sqs":
            raise NotEmulated(f"sns:Subscribe with protocol {call.text('Protocol')}")
        account = _account_of(call, caller)
        response = self._moto.call(call, account, _with_bare_key_id(call, account))
        if call.name == "sns:Subscribe" and response.status < 300:
            self._own_subscription(call, caller)
        return response

    def _check_policies(self, call: Call) -> None:
        """A policy set as a queue's, topic's or key's must be one, and name principals that exist."""
        text = _policy_in(call)
        if not text:
            return
        try:
            check_resource_document(text, self._directory.exists)
        except AwsError as wrong:
            if call.service == "sqs":
                message = "Invalid value for the parameter Policy."
                raise AwsError("InvalidAttributeValue", message, 400) from None
            if call.service == "sns":
                message = f"Invalid parameter: Policy Error: {wrong.message}"
                raise AwsError("InvalidParameter", message, 400) from None
            raise AwsError("MalformedPolicyDocumentException", wrong.message, 400) from None

    @staticmethod
    def _check_subscription_attribute(call: Call) -> None:
        name = call.text("AttributeName")
        if name not in _SUBSCRIPTION_ATTRIBUTES:
            raise NotEmulated(f"sns subscription attribute {name}")

    @staticmethod
    def _publish(call: Call, now: datetime) -> HttpResponse:
        arn = call.text("TopicArn")
        if stores.topic_at(arn) is None:
            raise AwsError("NotFound", "Topic does not exist", 404)
        if call.text("MessageStructure") or call.text("MessageAttributes.entry.1.Name"):
            raise NotEmulated("sns:Publish with MessageStructure or MessageAttributes")
        message_id = publish(arn, call.text("Message"), call.text("Subject"), now)
        request_id = new_request_id()
        body = (
            f'<PublishResponse xmlns="{_SNS_NAMESPACE}"><PublishResult><MessageId>{message_id}</MessageId>'
            f"</PublishResult><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
            "</PublishResponse>"
        )
        return HttpResponse(200, {"Content-Type": "text/xml"}, body.encode())

    @staticmethod
    def _own_subscription(call: Call, caller: Principal) -> None:
        """A subscription belongs to who made it, not to the topic's account."""
        for subscription in stores.topic_subscriptions(call.text("TopicArn")):
            if subscription.endpoint == call.text("Endpoint"):
                subscription.owner = caller.account
                subscription.attributes["Owner"] = caller.account


_GRANTED = {"Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey"}


def _check_grant(call: Call) -> None:
    """Refuses what the sandbox does not weigh: constraints, grants to services, other operations.

    Source: https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html
    """
    beyond = set(call.parameters) - {"KeyId", "GranteePrincipal", "Operations", "Name", "RetiringPrincipal"}
    operations: object = call.parameters.get("Operations", [])
    named = {str(one) for one in operations} if isinstance(operations, list) else set()
    if beyond or named - _GRANTED:
        raise NotEmulated(f"kms:CreateGrant with {', '.join(sorted(beyond | (named - _GRANTED)))}")
    if not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:(role|user)/.+", call.text("GranteePrincipal")):
        raise NotEmulated("kms:CreateGrant to what is neither a role nor a user")


def _check_parameter(call: Call) -> None:
    """What Systems Manager refuses and moto takes: a standard parameter of more than 4 KB.

    Text recorded in https://github.com/hashicorp/terraform-provider-aws/issues/18521.
    """
    if call.text("Tier", "Standard") == "Standard" and len(call.text("Value").encode()) > _LONGEST_PARAMETER:
        page = "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
        message = (
            f"Standard tier parameters support a maximum parameter value of {_LONGEST_PARAMETER} characters. "
            "To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. "
            f"For more information, see {page}"
        )
        raise AwsError("ValidationException", message, 400)


def _account_of(call: Call, caller: Principal) -> str:
    """The account a call is about."""
    if call.service == "sqs":
        return queue_arn_of(call, caller).split(":")[4]
    if call.service == "sns":
        arn = call.text("TopicArn") or call.text("SubscriptionArn") or call.text("ResourceArn")
        return arn.split(":")[4] if arn else caller.account
    if call.service == "kms" and call.text("KeyId").startswith("arn:"):
        return call.text("KeyId").split(":")[4]
    return caller.account


def _with_bare_key_id(call: Call, account: str) -> HttpRequest | None:
    """The request with a key's ARN replaced by its id: some of moto's KMS calls know keys by id only."""
    if call.service != "kms" or not call.text("KeyId").startswith("arn:"):
        return None
    key = stores.kms_key(call.text("KeyId"), account, call.region)
    if key is None:
        return None
    body = json.dumps({**call.parameters, "KeyId": key.id}).encode()
    return replace(call.request, body=body)


def _policy_in(call: Call) -> str:
    """The resource policy a call would set; empty when it sets none."""
    if call.service == "kms":
        return call.text("Policy")
    if call.service == "sns":
        if call.text("AttributeName") == "Policy":
            return call.text("AttributeValue")
        return _entry(call, "Attributes.entry.{n}.key", "Attributes.entry.{n}.value")
    attributes: Any = call.parameters.get("Attributes")
    if isinstance(attributes, dict):
        return str(attributes.get("Policy", ""))
    return _entry(call, "Attribute.{n}.Name", "Attribute.{n}.Value")


def _entry(call: Call, name: str, value: str) -> str:
    for n in range(1, 30):
        if call.text(name.format(n=n)) == "Policy":
            return call.text(value.format(n=n))
    return ""
