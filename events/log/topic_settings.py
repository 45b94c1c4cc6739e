"""What the broker says of topics' settings, and setting them as they must be."""

from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # It has them, untold to mypy.
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from events.log.port import LogUnavailableError
from events.topics import Topic

_TIMEOUT_SECONDS: Final = 15


def describe(admin: AdminClient, wanted: Sequence[Topic]) -> list[tuple[Topic, Mapping[str, str]]]:
    """
    Each topic with its settings by name, defaults included; all of them are to be there.

    Raises:
        LogUnavailableError: The broker is away, or doesn't tell.
    """
    if not wanted:
        return []
    resources = {ConfigResource(ConfigResource.Type.TOPIC, topic.name): topic for topic in wanted}
    try:
        answers = admin.describe_configs(list(resources), request_timeout=_TIMEOUT_SECONDS)
        return [
            (resources[resource], {name: str(one.value) for name, one in future.result().items()})
            for resource, future in answers.items()
        ]
    except KafkaException as error:
        raise LogUnavailableError(f"The topics can't be described: {error.args[0]}") from error


def mend(admin: AdminClient, wanted: Sequence[Topic]) -> list[str]:
    """
    Set what isn't as it must be, and nothing else; all of the topics are to be there.

    Returns:
        A sentence for each setting.

    Raises:
        LogUnavailableError: The broker is away, or refuses.
    """
    changes = {
        topic.name: {name: to for name, to in topic.settings.items() if actual.get(name) != to}
        for topic, actual in describe(admin, wanted)
    }
    resources = [
        ConfigResource(
            ConfigResource.Type.TOPIC,
            topic,
            incremental_configs=[
                ConfigEntry(name, to, incremental_operation=AlterConfigOpType.SET)
                for name, to in settings.items()
            ],
        )
        for topic, settings in changes.items()
        if settings
    ]
    if not resources:
        return []
    try:
        altered = admin.incremental_alter_configs(resources, request_timeout=_TIMEOUT_SECONDS)
        for future in altered.values():
            future.result()
    except KafkaException as error:
        raise LogUnavailableError(f"The topics can't be set: {error.args[0]}") from error
    return [
        f"Set {name}={to} for topic {topic}."
        for topic, settings in changes.items()
        for name, to in settings.items()
    ]
