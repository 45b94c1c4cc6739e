"""Rules that the table of rights itself keeps, and that the documentation shows it as it is."""

from dataclasses import replace
from pathlib import Path

import pytest

from events import access, topics
from events.access import BY_NAME, PRINCIPALS

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"


def writers(topic: topics.Topic) -> set[str]:
    return {one.name for one in PRINCIPALS if topic in one.writes}


def readers(topic: topics.Topic) -> set[str]:
    return {one.name for one in PRINCIPALS if topic in one.reads}


@pytest.mark.row(43, 50)
def test_nothing_that_changes_a_topic_is_ever_granted() -> None:
    assert {grant.operation for grant in access.grants()} == {
        "Describe", "DescribeConfigs", "Read", "Write",
    }  # fmt: skip
    assert {grant.kind for grant in access.grants()} == {"topic", "group"}


@pytest.mark.row(43)
def test_who_writes_what() -> None:
    assert writers(topics.EVENTS) == {"auth", "staff", "projections", "operator"}
    assert writers(topics.VAULT) == {"auth", "staff", "projections"}
    assert writers(topics.COMMANDS) == {"staff", "publisher", "operator"}
    assert writers(topics.CHECKPOINTS) == {"auditor"}
    assert readers(topics.COMMANDS) == {"staff"}  # They hold personal data in clear.
    assert readers(topics.VAULT) == {"projections", "operator"}
    assert readers(topics.STATUS) == {"reader"}


def test_every_line_is_of_a_topic_or_group_of_ours() -> None:
    names = {topic.name for topic in topics.ALL} | {access.BULK_GROUP}
    groups = {group for one in PRINCIPALS for group in one.groups}
    assert {grant.name for grant in access.grants()} == names | groups
    assert len(list(access.grants())) == len(set(access.grants()))


def test_a_principal_is_granted_what_it_reads_writes_keeps_and_watches() -> None:
    reads, writes = topics.EVENTS, topics.STATUS
    one = access.Principal(
        "one", "", reads=(reads,), writes=(writes,), groups=("own",), watches=("other",),
        checks=False,
    )  # fmt: skip
    lines = {
        ("topic", reads.name, "Read"), ("topic", reads.name, "Describe"),
        ("topic", writes.name, "Write"), ("topic", writes.name, "Describe"),
        ("group", "own", "Read"), ("group", "own", "Describe"),
        ("group", "other", "Describe"), ("group", access.BULK_GROUP, "Describe"),
    }  # fmt: skip
    assert granted(one) == lines
    looked_at = {
        ("topic", topic.name, operation)
        for topic in topics.ALL
        for operation in ("Describe", "DescribeConfigs")
    }
    assert granted(replace(one, checks=True)) == lines | looked_at


def granted(one: access.Principal) -> set[tuple[str, str, str]]:
    return {(line.kind, line.name, line.operation) for line in access.grants((one,))}


def test_whoever_runs_doctor_sees_how_far_every_group_is() -> None:
    groups = {group for one in PRINCIPALS for group in one.groups}
    assert {name: set(one.watches) for name, one in BY_NAME.items() if one.watches} == {
        "operator": groups
    }


def test_the_documentation_has_the_same_table() -> None:
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `twofold.")]
    shown: dict[tuple[str, str], str] = {}
    header = "| topic |"
    titles = next(one for one in DOCUMENT.read_text().splitlines() if one.startswith(header))
    names = [cell.strip() for cell in titles.strip("|").split("|")][1:]
    for line in lines:
        topic, *cells = (cell.strip().strip("`") for cell in line.strip("|").split("|"))
        shown |= {(topic, name): cell for name, cell in zip(names, cells, strict=True)}
    assert shown == {
        (topic.name, one.name): _letters(one, topic) for topic in topics.ALL for one in PRINCIPALS
    }
    assert set(names) == set(BY_NAME)


def _letters(one: access.Principal, topic: topics.Topic) -> str:
    letters = ("R" if topic in one.reads else "") + ("W" if topic in one.writes else "")
    return letters or ("d" if one.checks else "–")
