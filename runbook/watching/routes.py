"""The ways to tell people: each kind's document as its vendor asks for it, and how it is sent.

One function a kind makes the document, one sends it. An answer of 2xx is delivered; all else is a
:class:`NotDelivered` with its reason, and the message is sent again with the next rounds.
"""

import hashlib
import json
import os
import re
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from typing import Any
from urllib.parse import urlsplit

from runbook import redaction
from runbook.clouds.connections import APPLICATION, client_for
from runbook.clouds.network import failure, one_line
from runbook.settings import Settings
from runbook.settings.watch import Route
from runbook.watching.history import clean
from runbook.watching.messages import Message

TIMEOUT_S = 15
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
SNS_SUBJECT = 100  # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
SLACK_HEADER, SLACK_SECTION, SLACK_BLOCKS = 150, 3000, 50
"""https://docs.slack.dev/reference/block-kit/blocks (header, section; blocks in a message)."""
TEAMS_BYTES = 24_000  # of 28 KB, the card around it taken off
PAGERDUTY_SUMMARY, PAGERDUTY_KEY = 1024, 255
"""https://developer.pagerduty.com/docs/events-api-v2/trigger-events/"""


class NotDelivered(Exception):
    """A message did not get through; ``is_final``: sending it again as it is changes nothing."""

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final


class Unusable(Exception):
    """A route that cannot be used as it is written: one sentence."""


@dataclass(frozen=True)
class Way:
    """A route that can be used. ``mark``: another one where its settings or its secret are others."""

    name: str
    kind: str
    send: Callable[[Message], None]
    mark: str = ""


def ways(settings: Settings, clouds: Any = None) -> tuple[list[Way], list[str]]:
    """The routes that can be used, and a sentence for each that cannot. ``clouds`` for SNS."""
    usable, problems = [], []
    for name, route in settings.watch.routes.items():
        if not route.enabled:
            continue
        try:
            usable.append(Way(name, route.kind, _sender(route, clouds, settings.installation), _mark(route)))
        except Unusable as error:
            problems.append(f"The route {name} cannot be used: {error}.")
    return usable, problems


def _mark(route: Route) -> str:
    """What tells one state of a route from another, and nobody its secret: 16 bits of a digest."""
    secret = os.environ.get(route.secret_from or "", "")
    return hashlib.sha256(f"{route.model_dump_json()}\n{secret}".encode()).hexdigest()[:4]


def _sender(route: Route, clouds: Any, installation: str = "") -> Callable[[Message], None]:
    maker = KINDS.get(route.kind)
    if maker is None:
        raise Unusable(f"there is no kind {route.kind!r} (known are {', '.join(KINDS)})")
    return _pagerduty(route, clouds, installation) if maker is _pagerduty else maker(route, clouds)


def _secret(route: Route, what: str) -> str:
    if not route.secret_from:
        raise Unusable(f"secret_from names no variable with {what}")
    value = os.environ.get(route.secret_from, "").strip()
    if not value:
        raise Unusable(f"the variable {route.secret_from} with {what} is not set")
    redaction.hide(value)
    return value


def _address(route: Route) -> str:
    url = _secret(route, "its URL")
    return url_of(url, route.secret_from or "")


def url_of(url: str, variable: str) -> str:
    """A URL to call; raises Unusable, without repeating it."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise Unusable(f"what the variable {variable} holds is not a URL")
    for part in (parts.path, parts.query):  # the secret of such a URL is in its path
        redaction.hide(part.strip("/"))
    return url


# -- HTTP --------------------------------------------------------------------------------------------------


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message is delivered where the settings say, or not at all."""

    def redirect_request(self, *_: Any) -> None:
        return None


def call(url: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """POST a JSON document, or GET without one; the answer's beginning. Raises NotDelivered."""
    data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    request = urllib.request.Request(url, data=data, method="GET" if data is None else "POST")
    request.add_header("User-Agent", APPLICATION)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    try:
        opener = urllib.request.build_opener(_NoRedirect)
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            found: bytes = answer.read(2000)
            return found
    except urllib.error.HTTPError as error:
        with error:
            said = one_line(error.read(300).decode(errors="replace"))
        final = 400 <= error.code < 500 and error.code not in (408, 425, 429)
        raise NotDelivered(f"HTTP {error.code}{f' ({said})' if said else ''}", is_final=final) from None
    except (OSError, ValueError) as error:
        raise NotDelivered(redaction.redacted(one_line(_reason(error)))) from None


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", None)
    if isinstance(inner, BaseException):
        error = inner
    return "no answer in time" if isinstance(error, TimeoutError) else failure(error)


def _webhook(route: Route, _clouds: Any) -> Callable[[Message], None]:
    url = _address(route)
    return lambda message: _posted(url, message.as_json(), message.id)


def _posted(url: str, document: Mapping[str, Any], name: str) -> None:
    call(url, document, {"Idempotency-Key": name})


def _slack(route: Route, _clouds: Any) -> Callable[[Message], None]:
    url = _address(route)
    return lambda message: _posted(url, slack(message), message.id)


def slack(message: Message) -> dict[str, Any]:
    """The document of an incoming webhook.

    Sources: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    told = message.as_json()
    title = _without_markup(told["title"])
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": told["title"][:SLACK_HEADER]}}
    ]
    for line in message.lines[: SLACK_BLOCKS - 2]:
        text = _without_markup(clean(line))[:SLACK_SECTION]
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    return {"text": title, "blocks": blocks}


def _without_markup(text: str) -> str:
    """Slack's three control characters as it asks for them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(route: Route, _clouds: Any) -> Callable[[Message], None]:
    url = _address(route)
    return lambda message: _posted(url, teams(message), message.id)


def teams(message: Message) -> dict[str, Any]:
    """An Adaptive Card in a message, as Workflows take it.

    Sources: https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using,
    https://adaptivecards.io/explorer/TextBlock.html
    """
    told = message.as_json()
    colour = "Good" if message.is_well else "Attention"
    heading = _plain(told["title"])
    title = {"type": "TextBlock", "text": heading, "weight": "Bolder", "color": colour, "wrap": True}
    body = [{"type": "TextBlock", "text": _plain(clean(line)), "wrap": True} for line in message.lines]
    while len(json.dumps(body, ensure_ascii=False).encode()) > TEAMS_BYTES:
        body.pop()
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [title, *body],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _plain(text: str) -> str:
    """Text of a card: a line of its own needs two line ends there, and Markdown's signs are escaped."""
    escaped = "".join(f"\\{char}" if char in "\\*_[]`" else char for char in text)
    return escaped.replace("\n", "\n\n")


def _pagerduty(route: Route, _clouds: Any, installation: str = "") -> Callable[[Message], None]:
    key = _secret(route, "its integration key")
    url = url_of(route.url, "url") if route.url else PAGERDUTY

    def send(message: Message) -> None:
        for event in pagerduty(message, key, installation):
            call(url, event)

    return send


def pagerduty(message: Message, key: str, installation: str = "") -> list[dict[str, Any]]:
    """One event a cause: it triggers, and resolves under the same key, which no other installation has.

    Source: https://github.com/PagerDuty/api-schema reference/events-v2/openapiv3.json
    """
    told = message.as_json()
    if message.kind == "test":
        name = _dedup(message.target, installation, "test")
        event = _event(key, "trigger", name, told["title"], message, "info", {})
        return [event, _event(key, "resolve", name, told["title"], message, "info", {})]
    events = []
    for cause in told["ended"]:
        name = _dedup(message.target, installation, cause["id"])
        events.append(_event(key, "resolve", name, cause["title"], message, "critical", cause))
    for cause in [*told["new"], *(told["open"] if message.kind == "reminder" else [])]:
        name = _dedup(message.target, installation, cause["id"])
        where = f" [{', '.join(cause['streams'])}]" if cause["streams"] else ""
        summary = f"Snowpipe {message.target}{where}: {cause['why'] or cause['title']}"
        events.append(_event(key, "trigger", name, summary, message, "critical", cause))
    return events


def _dedup(target: str, installation: str, cause: str) -> str:
    """Two installations may be called alike in their settings, and share an integration key."""
    of = hashlib.sha256(installation.encode()).hexdigest()[:8]
    return f"{APPLICATION}/{target}/{of}/{cause}"[:PAGERDUTY_KEY]


def _event(
    key: str,
    action: str,
    dedup: str,
    summary: str,
    message: Message,
    severity: str,
    details: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "routing_key": key,
        "event_action": action,
        "dedup_key": dedup,
        "client": APPLICATION,
        "payload": {
            "summary": summary[:PAGERDUTY_SUMMARY],
            "source": message.target,
            "severity": severity,
            "timestamp": f"{message.at:%Y-%m-%dT%H:%M:%S.000+0000}",
            "component": "snowpipe",
            "custom_details": dict(details),
        },
    }


# -- mail, SNS, and the long tail ---------------------------------------------------------------------------


def _email(route: Route, _clouds: Any) -> Callable[[Message], None]:
    for name, value in (("host", route.host), ("sender", route.sender), ("to", route.to)):
        if not value:
            raise Unusable(f"{name} is missing")
    password = _secret(route, "the password") if route.user else ""
    return lambda message: _mailed(route, password, email(message, route))


def email(message: Message, route: Route) -> EmailMessage:
    """The mail. Its Message-ID is the message's own: sent twice, a mailbox shows it once."""
    told = message.as_json()
    mail = EmailMessage()
    mail["Subject"] = told["title"].replace("\n", " ")
    mail["From"] = formataddr(("Snowpipe runbook", route.sender))
    mail["To"] = ", ".join(route.to)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{APPLICATION}.invalid>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail.set_content(told["text"])
    return mail


def _mailed(route: Route, password: str, mail: EmailMessage) -> None:
    try:
        with _mail_server(route) as server:
            if route.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if route.user:
                server.login(route.user, password)
            server.send_message(mail)
    except smtplib.SMTPException as error:
        final = isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPRecipientsRefused)
        raise NotDelivered(redaction.redacted(one_line(str(error))), is_final=final) from None
    except OSError as error:
        raise NotDelivered(f"{route.host}: {_reason(error)}") from None


def _mail_server(route: Route) -> smtplib.SMTP:
    if route.security == "tls":
        return smtplib.SMTP_SSL(
            route.host, route.port, timeout=TIMEOUT_S, context=ssl.create_default_context()
        )
    return smtplib.SMTP(route.host, route.port, timeout=TIMEOUT_S)


def _sns(route: Route, clouds: Any) -> Callable[[Message], None]:
    if not route.topic_arn:
        raise Unusable("topic_arn is missing")
    if not re.fullmatch(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+", route.topic_arn):
        raise Unusable("topic_arn is not the ARN of a standard SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME)")

    def send(message: Message) -> None:
        publish(clouds, route.topic_arn, message)

    return send


def publish(clouds: Any, topic: str, message: Message) -> None:
    """Publish with the credentials of the ordinary chain; needs sns:Publish on the topic."""
    from botocore.exceptions import BotoCoreError, ClientError

    told = message.as_json()
    subject = told["title"].encode("ascii", "replace").decode()[:SNS_SUBJECT]
    text = f"{told['text']}\n\n{message.id}"
    try:
        sns = client_for(clouds, "sns", {"TopicArn": topic})  # of the topic's region, which its ARN names
        sns.publish(TopicArn=topic, Subject=subject, Message=text)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise NotDelivered(one_line(str(error)), is_final=code in ("NotFound", "InvalidParameter")) from None
    except (BotoCoreError, OSError) as error:
        raise NotDelivered(redaction.redacted(one_line(str(error)))) from None


def _apprise(route: Route, _clouds: Any) -> Callable[[Message], None]:
    """Whatever the library apprise sends to: https://github.com/caronc/apprise/wiki."""
    url = _secret(route, "its Apprise URL")
    try:
        import apprise  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError:
        raise Unusable(
            "apprise is not installed (pip install apprise, in the runbook's environment)"
        ) from None
    known = apprise.Apprise()
    if not known.add(url):
        raise Unusable(f"what the variable {route.secret_from} holds is not a URL that Apprise knows")

    def send(message: Message) -> None:
        told = message.as_json()
        kind = apprise.NotifyType.SUCCESS if message.is_well else apprise.NotifyType.FAILURE
        if not known.notify(title=told["title"], body=told["text"], notify_type=kind):
            raise NotDelivered("Apprise could not deliver it")

    return send


KINDS: dict[str, Callable[[Route, Any], Callable[[Message], None]]] = {
    "webhook": _webhook,
    "slack": _slack,
    "teams": _teams,
    "pagerduty": _pagerduty,
    "email": _email,
    "sns": _sns,
    "apprise": _apprise,
}
"""What a route's ``kind`` may be."""
