"""What a user can do with Kafka, found out by trying everything, and leaving nothing behind."""

import time
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # It has them, untold to mypy.
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from events import topics
from events.log.clients import Connection

TOPICS: Final = tuple(topic.name for topic in topics.ALL)
GROUPS: Final = ("twofold.staff", "twofold.notify", "twofold.status")
REFUSED: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
_TOO_LONG: Final = 1_200_000
_PATIENCE: Final = 15

Did = tuple[str, str]
"""An operation, and on what."""


class Prober:
    """Tries as one user."""

    def __init__(self, connection: Connection) -> None:
        self._settings = connection.librdkafka()
        self._admin = AdminClient(self._settings)
        self._seen: set[str] = set()

    def everything(self) -> set[Did]:
        """All that this user may do, of what is tried."""
        self._seen = set(self._admin.list_topics(timeout=_PATIENCE).topics) & set(TOPICS)
        did = {("Describe", name) for name in self._seen}
        for tries in (
            self._reads,
            self._writes,
            self._looks,
            self._alters,
            self._groups,
            self._deletes_groups,
            self._rules,
        ):
            did |= set(tries())
        return did

    def _reads(self) -> Iterator[Did]:
        """Of topics that it sees: Kafka shows whatever it lets be read."""
        consumer = Consumer(
            {
                **self._settings,
                "group.id": "twofold-bulk",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        try:
            consumer.assign([TopicPartition(name, 0, 0) for name in self._seen])
            answered: dict[str, bool] = {}
            end = time.monotonic() + _PATIENCE
            while answered.keys() != self._seen and time.monotonic() < end:
                message = consumer.poll(0.5)
                if message is not None and (name := message.topic()) in self._seen:
                    answered.setdefault(str(name), not _is_refused(message.error()))
            assert answered.keys() == self._seen, "some topic never answered"
            yield from (("Read", name) for name, got in answered.items() if got)
        finally:
            consumer.close()

    def _writes(self) -> Iterator[Did]:
        """With a record that is too long to be taken: whoever hears that would have been let in."""
        producer = Producer({**self._settings, "message.max.bytes": 3 * _TOO_LONG, "retries": 0})
        heard: dict[str, int] = {}
        for name in TOPICS:

            def told(error: KafkaError | None, _: Message, name: str = name) -> None:
                heard[name] = error.code() if error else 0

            producer.produce(name, b"x" * _TOO_LONG, partition=0, on_delivery=told)
            producer.poll(0)
        producer.flush(_PATIENCE)
        expected = REFUSED | {KafkaError.MSG_SIZE_TOO_LARGE}
        assert set(heard.values()) <= expected, heard
        assert heard.keys() == set(TOPICS)
        for name, code in heard.items():
            if code == KafkaError.MSG_SIZE_TOO_LARGE:
                yield "Write", name

    def _looks(self) -> Iterator[Did]:
        asked = {ConfigResource(ConfigResource.Type.TOPIC, name): name for name in TOPICS}
        for resource, future in self._admin.describe_configs(list(asked)).items():
            if _worked(future):
                yield "DescribeConfigs", asked[resource]

    def _alters(self) -> Iterator[Did]:
        admin = self._admin
        change = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
        for name in TOPICS:
            tried: dict[str, dict[Any, Any]] = {
                "AlterConfigs": admin.incremental_alter_configs(
                    [ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[change])]
                ),
                "Alter": admin.create_partitions([NewPartitions(name, 40)]),
                "Delete": admin.delete_topics([name]),
            }
            if name in self._seen:  # librdkafka asks nothing about a topic that it can't see.
                tried["DeleteRecords"] = admin.delete_records([TopicPartition(name, 0, 1)])
            for what, futures in tried.items():
                if all(_worked(future) for future in futures.values()):
                    yield what, name
        fresh = NewTopic(f"twofold.other-{uuid4().hex[:8]}", 1, 1)
        if all(_worked(future) for future in admin.create_topics([fresh]).values()):
            yield "Create", "topic"

    def _groups(self) -> Iterator[Did]:
        """Progress on a topic that there isn't: whoever hears that would have been let in."""
        for group in GROUPS:
            asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topics.EVENTS.name, 0)])
            if _worked(self._admin.list_consumer_group_offsets([asked])[group]):
                yield "Describe", group
            moved = ConsumerGroupTopicPartitions(group, [TopicPartition("twofold.no-such", 0, 1)])
            future = self._admin.alter_consumer_group_offsets([moved])[group]
            if _worked(future):
                refusal = future.result().topic_partitions[0].error
                if refusal.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
                    yield "Read", group

    def _deletes_groups(self) -> Iterator[Did]:
        for group in GROUPS:
            if _worked(self._admin.delete_consumer_groups([group])[group]):
                yield "Delete", group

    def sees_rules(self) -> bool:
        """Whether the broker lists its rules; a refusal comes as an empty list."""
        anybody: Any = None
        everything = AclBindingFilter(
            ResourceType.ANY, anybody, ResourcePatternType.ANY, anybody, anybody,
            AclOperation.ANY, AclPermissionType.ANY,
        )  # fmt: skip
        return bool(self._admin.describe_acls(everything).result(_PATIENCE))

    def _rules(self) -> Iterator[Did]:
        """The broker's own lists, its users, and transactions."""
        admin = self._admin
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        mine = AclBinding(
            ResourceType.TOPIC, "*", ResourcePatternType.LITERAL, "User:*", "*",
            AclOperation.ALL, AclPermissionType.ALLOW,
        )  # fmt: skip
        if self.sees_rules():
            yield "DescribeAcls", "cluster"
        if all(_worked(future) for future in admin.create_acls([mine]).values()):
            yield "CreateAcls", "cluster"
        made = UserScramCredentialUpsertion("admin", info, b"a-new-password")
        if all(_worked(one) for one in admin.alter_user_scram_credentials([made]).values()):
            yield "AlterUsers", "cluster"
        for settings in ({"transactional.id": "twofold-tx"},):
            producer = Producer({**self._settings, **settings})
            try:
                producer.init_transactions(_PATIENCE)
            except KafkaException as error:
                if not _is_refused(error.args[0]):
                    raise
            else:
                yield "InitTransactions", "cluster"


def _worked(future: Any) -> bool:
    """False where it was refused; anything else that goes wrong is no answer."""
    try:
        future.result(_PATIENCE)
    except KafkaException as error:
        if not _is_refused(error.args[0]):
            raise
        return False
    return True


def _is_refused(error: KafkaError | None) -> bool:
    return error is not None and error.code() in REFUSED
