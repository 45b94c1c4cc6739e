"""Personal data under a person's own key, and usernames by their digest."""

import pytest

from events.vault import personal
from events.vault.personal import Details
from events.vault.sealing import UnsealingError
from tests.events.records import uuid

OWNER, KEY, OTHER_KEY = uuid(), b"k" * 32, b"o" * 32
DETAILS = Details("maria", "maria@agency.example", "María")


class TestDetails:
    def test_what_is_sealed_is_unsealed(self) -> None:
        sealed = personal.seal_details(DETAILS, owner=OWNER, data_key=KEY)
        assert personal.unseal_details(sealed, owner=OWNER, data_key=KEY) == DETAILS

    def test_another_persons_are_not(self) -> None:
        sealed = personal.seal_details(DETAILS, owner=OWNER, data_key=KEY)
        for owner, key in ((uuid(), KEY), (OWNER, OTHER_KEY)):
            with pytest.raises(UnsealingError):
                personal.unseal_details(sealed, owner=owner, data_key=key)

    def test_one_field_is_not_another(self) -> None:
        sealed = personal.seal_text("x", field="reason", owner=OWNER, data_key=KEY)
        with pytest.raises(UnsealingError):
            personal.unseal_text(sealed, field="details", owner=OWNER, data_key=KEY)

    @pytest.mark.parametrize("sealed", ["", "A", "ä", "A" * 40, "=" * 8])
    def test_what_is_not_sealed_text(self, sealed: str) -> None:
        with pytest.raises(UnsealingError):
            personal.unseal_text(sealed, field="reason", owner=OWNER, data_key=KEY)


class TestSource:
    def test_where_a_request_came_from_comes_back(self) -> None:
        sealed = personal.seal_source("2001:db8::1", "Mozilla/5.0", owner=OWNER, data_key=KEY)
        read = personal.unseal_source(sealed, owner=OWNER, data_key=KEY)
        assert read == ("2001:db8::1", "Mozilla/5.0")

    def test_its_length_tells_nothing(self) -> None:
        agents = ["", "Mozilla/5.0", '"' * 300, "\\" * 5_000, "ü" * 300, "\0" * 300]
        sealed = [
            personal.seal_source("192.0.2.1", agent, owner=OWNER, data_key=KEY) for agent in agents
        ]
        assert len({len(one) for one in sealed}) == 1
        for one in sealed:
            address, _ = personal.unseal_source(one, owner=OWNER, data_key=KEY)
            assert address == "192.0.2.1"


class TestUsernameDigest:
    @pytest.mark.parametrize("spelling", ["maria", "MARIA", "Maria", "ｍａｒｉａ"])
    def test_spellings_of_one_name_are_one(self, spelling: str) -> None:
        assert personal.username_digest(spelling, KEY) == personal.username_digest("maria", KEY)

    def test_names_that_fold_alike_are_one(self) -> None:
        assert personal.username_digest("Straße", KEY) == personal.username_digest("STRASSE", KEY)
        assert personal.username_digest("e\u0301", KEY) == personal.username_digest("\u00c9", KEY)

    def test_other_names_and_other_keys_differ(self) -> None:
        digests = {
            personal.username_digest("maria", KEY),
            personal.username_digest("mario", KEY),
            personal.username_digest("maria ", KEY),
            personal.username_digest("maria", OTHER_KEY),
        }
        assert len(digests) == 4

    def test_what_is_no_text_has_a_digest_too(self) -> None:
        """Any username can be tried; a lone surrogate must not be an error of ours."""
        assert len(personal.username_digest("\ud800", KEY)) == 64
