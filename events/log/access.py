"""
Making the broker's users and its access control list, and comparing it with the table.

Works as the broker's administrator, with a connection of its own. Safe to repeat: what is there
already stays, and what the table doesn't grant to one of our users is taken away.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # It has them, untold to mypy.
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from events import access
from events.access import Grant
from events.log import clients
from events.log.clients import Connection
from events.log.port import LogUnavailableError

ITERATIONS: Final = 16_384
"""Of SCRAM-SHA-512: what guessing a stolen verifier costs. The passwords are random anyway."""

_TIMEOUT_SECONDS: Final = 20
_KINDS: Final = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
_OPERATIONS: Final = {
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}


async def apply(kafka: Connection | str, passwords: Mapping[str, str]) -> list[str]:
    """
    Make the broker's users and its list what the table says.

    Args:
        kafka: Where, as its administrator.
        passwords: Of the users that are to be made or changed, by their names in Kafka.

    Returns:
        A sentence for each thing that was done.

    Raises:
        LogUnavailableError: The broker is away, or refuses.
    """
    return await asyncio.to_thread(_refused_in_words, lambda: _apply(kafka, passwords))


async def differences(kafka: Connection | str) -> list[str]:
    """
    Where the broker's list isn't what the table says, a sentence each.

    Raises:
        LogUnavailableError: The broker is away, or refuses.
    """
    return await asyncio.to_thread(_refused_in_words, lambda: _differences(kafka))


def _apply(kafka: Connection | str, passwords: Mapping[str, str]) -> list[str]:
    admin = clients.admin(kafka)
    done = _make_users(admin, passwords)
    found, wanted = _found(admin), [_binding(grant) for grant in access.grants()]
    missing = [one for one in wanted if one not in found]
    if missing:
        _wait(admin.create_acls(missing, request_timeout=_TIMEOUT_SECONDS))
        done.append(f"Granted {len(missing)} rights.")
    extra = [one for one in found if one not in wanted and _is_ours(one)]
    if extra:
        _wait(admin.delete_acls([_filter(one) for one in extra], request_timeout=_TIMEOUT_SECONDS))
        done += [f"Took away: {_words(one)}." for one in extra]
    return done


def _differences(kafka: Connection | str) -> list[str]:
    admin = clients.admin(kafka)
    found, wanted = _found(admin), [_binding(grant) for grant in access.grants()]
    return [f"Missing: {_words(one)}." for one in wanted if one not in found] + [
        f"Not in the table: {_words(one)}." for one in found if one not in wanted
    ]


def _make_users(admin: AdminClient, passwords: Mapping[str, str]) -> list[str]:
    if not passwords:
        return []
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    _wait(
        admin.alter_user_scram_credentials(
            [
                UserScramCredentialUpsertion(name, info, password.encode())
                for name, password in passwords.items()
            ],
            request_timeout=_TIMEOUT_SECONDS,
        )
    )
    return [f"Set the password of {name}." for name in passwords]


def _found(admin: AdminClient) -> list[Any]:
    anybody: Any = None  # And any name, any host; the stubs know no None.
    everything = AclBindingFilter(
        ResourceType.ANY,
        anybody,
        ResourcePatternType.ANY,
        anybody,
        anybody,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    answer: list[Any] = admin.describe_acls(everything, request_timeout=_TIMEOUT_SECONDS).result()
    return answer


def _binding(grant: Grant) -> Any:
    return AclBinding(
        _KINDS[grant.kind],
        grant.name,
        ResourcePatternType.LITERAL,
        f"User:{grant.user}",
        "*",
        _OPERATIONS[grant.operation],
        AclPermissionType.ALLOW,
    )


def _filter(binding: Any) -> Any:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )


def _is_ours(binding: Any) -> bool:
    return binding.principal in {f"User:{one.user}" for one in access.PRINCIPALS}


def _words(binding: Any) -> str:
    verb = "may" if binding.permission_type == AclPermissionType.ALLOW else "may not"
    return (
        f"{binding.principal} {verb} {binding.operation.name.lower()}"
        f" {binding.restype.name.lower()} {binding.name}"
    )


def _wait(futures: Mapping[Any, Any] | Iterable[Any]) -> None:
    for future in futures.values() if isinstance(futures, Mapping) else futures:
        future.result(_TIMEOUT_SECONDS)


def _refused_in_words(work: Callable[[], list[str]]) -> list[str]:
    try:
        return work()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.SECURITY_DISABLED:
            raise LogUnavailableError(
                "Kafka keeps no list, for authorizer.class.name isn't set there: docs/operating.md"
                " has its settings."
            ) from error
        raise LogUnavailableError(
            f"Kafka refuses: {error.args[0].str()} (this takes the broker's administrator)."
        ) from error
