"""
`twofold.two-factor-status`: who has 2FA, as projected, for services that keep a copy of their own.

Compacted, keyed by staff id: the newest record about a person is what holds; none, or a tombstone,
means that nobody is to be remembered under that id.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from events.credentials import Disabled, Enrolled
from events.facts import Counted
from events.log.port import AppendUnknownError
from events.moments import write_moment
from events.person import Person
from events.staff import (
    RoleChanged,
    StaffDeactivated,
    StaffForgotten,
    StaffReactivated,
    StaffRegistered,
    TwoFactorDisabled,
    TwoFactorEnrolled,
)
from events.topics import STATUS

TYPE: Final = "twofold.two_factor_status.v1"

MOVES: Final = (
    StaffRegistered, TwoFactorEnrolled, TwoFactorDisabled, StaffDeactivated, StaffReactivated,
    RoleChanged, StaffForgotten,
)  # fmt: skip
"""Facts after which the state is published."""

Publish = Callable[[bytes, bytes | None], Awaitable[None]]
"""Publishes a key with its value; None: a tombstone."""


class StatusPublisher:
    """Publishes a person's state after each event that moves it."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    async def handle(self, counted: Counted, person: Person | None) -> None:
        """
        Publish what *counted* made of *person*.

        Raises:
            LogError: It may not be published.
        """
        if person is None or not isinstance(counted.fact, MOVES):
            return
        value = None if person.forgotten else json.dumps(status(counted, person)).encode()
        await self._publish(person.staff_id.encode(), value)


def status(counted: Counted, person: Person) -> dict[str, Any]:
    """The CloudEvent: the state as projected, which is that of `position` or a later one."""
    factor = person.second_factor
    data: dict[str, Any] = {
        "organisation_id": person.organisation_id,
        "staff_id": person.staff_id,
        "two_factor": "on" if isinstance(factor, Enrolled) else "off",
        "active": person.active,
        "role": person.role,
        "position": str(counted.position),
    }
    if isinstance(factor, Enrolled | Disabled):
        data["since"] = write_moment(factor.since)
    return {
        "specversion": "1.0",
        "id": counted.id,
        "source": "twofold/status",
        "type": TYPE,
        "time": write_moment(counted.at),
        "subject": person.staff_id,
        "datacontenttype": "application/json",
        "data": data,
    }


def to_topic(producer: AIOKafkaProducer, topic: str = STATUS.name) -> Publish:
    """Publish by *producer*, which is started."""

    async def publish(key: bytes, value: bytes | None) -> None:
        try:
            await producer.send_and_wait(
                topic,
                key=key,
                value=value,
                headers=[("content-type", b"application/cloudevents+json")],
            )
        except KafkaError as error:
            raise AppendUnknownError(f"The status can't be published: {error}") from error

    return publish
