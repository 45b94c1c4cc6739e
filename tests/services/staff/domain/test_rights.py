"""Who may command what."""

from dataclasses import replace
from datetime import timedelta

import pytest

from events import streams
from events.command_wire import CommandEnvelope
from events.commands import COMMANDS, Command, parse_command
from services.staff.domain import errors
from services.staff.domain.rights import (
    Rights,
    Sender,
    check,
    check_envelope,
)
from tests.services.staff.people import (
    ACME,
    HOME,
    NOW,
    OPERATOR,
    OTHER,
    STAFF_KEY,
    acting,
    person,
    serving,
    session_of,
    uuid,
)

ADA = person("administrator", enrolled=True)
SUPPORT = person("support", HOME, enrolled=True)
DATA: dict[str, dict[str, object]] = {
    "register_organisation": {"name": "Acme"},
    "register_staff": {
        "staff_id": uuid(),
        "username": "sam",
        "email": "sam@acme.example",
        "display_name": "Sam",
        "role": "staff",
    },
    "change_staff_details": {"staff_id": uuid(), "display_name": "Sam"},
    "change_role": {"staff_id": uuid(), "role": "staff", "reason": "r"},
    "set_two_factor_policy": {"mandatory": True, "reason": "r"},
    "set_password_expiry": {"max_age_days": 90, "reason": "r"},
}
# Written a second time: whatever falls out of the rule's own lists is missed here.
SUPPORT_ALONE = {
    "register_organisation", "set_two_factor_policy", "set_password_expiry", "forget_staff",
}  # fmt: skip
GRAVE = {
    "disable_two_factor", "forget_staff", "reactivate_staff", "require_password_reset",
    "set_two_factor_policy", "set_password_expiry",
}  # fmt: skip
ABOUT_SOMEBODY: dict[str, object] = {"staff_id": uuid(), "reason": "r"}


def command(name: str, organisation_id: str = ACME, **more: object) -> Command:
    data = DATA.get(name, ABOUT_SOMEBODY)
    return parse_command(name, {"organisation_id": organisation_id, **data, **more})


def allowed(command: Command, sender: Sender) -> frozenset[str]:
    return check(command, sender, HOME, NOW)


def refused(command: Command, sender: Sender) -> str:
    with pytest.raises(errors.RefusedError) as caught:
        check(command, sender, HOME, NOW)
    return caught.value.reason


class TestAdministrators:
    @pytest.mark.parametrize("name", sorted(COMMANDS.keys() - SUPPORT_ALONE))
    def test_may_do_this_in_their_own_organisation(self, name: str) -> None:
        assert allowed(command(name), acting(ADA)) == {streams.account(ACME, ADA.staff_id)}

    @pytest.mark.parametrize("name", sorted(SUPPORT_ALONE))
    def test_may_not_do_what_is_supports(self, name: str) -> None:
        assert refused(command(name), acting(ADA)) == "not-permitted"

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_find_nothing_in_another_organisation(self, name: str) -> None:
        assert refused(command(name, OTHER), acting(ADA)) == "unknown-organisation"

    @pytest.mark.parametrize("name", ["register_staff", "change_role"])
    def test_may_not_make_support(self, name: str) -> None:
        assert refused(command(name, role="support"), acting(ADA)) == "support-elsewhere"
        at_home = person("administrator", HOME, enrolled=True)
        assert refused(command(name, HOME, role="support"), acting(at_home)) == "not-permitted"

    def test_may_not_act_on_themself(self) -> None:
        for name in ("change_staff_details", "disable_two_factor", "deactivate_staff"):
            assert refused(command(name, staff_id=ADA.staff_id), acting(ADA)) == "on-yourself"


class TestSupport:
    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_may_do_everything_anywhere(self, name: str) -> None:
        assert allowed(command(name, OTHER), acting(SUPPORT)) == frozenset()

    def test_may_make_support_at_home_alone(self) -> None:
        allowed(command("change_role", HOME, role="support"), acting(SUPPORT))
        reason = refused(command("change_role", OTHER, role="support"), acting(SUPPORT))
        assert reason == "support-elsewhere"

    def test_is_nothing_outside_of_home(self) -> None:
        stray = person("support", ACME, enrolled=True)
        assert refused(command("deactivate_staff"), acting(stray)) == "not-permitted"

    def test_may_not_act_on_themself(self) -> None:
        about = command("forget_staff", HOME, staff_id=SUPPORT.staff_id)
        assert refused(about, acting(SUPPORT)) == "on-yourself"


class TestThePersonWhoActs:
    def test_must_be_known(self) -> None:
        nobody = Sender(f"staff/{uuid()}", STAFF_KEY)
        assert refused(command("deactivate_staff"), nobody) == "not-permitted"

    def test_must_be_active_enrolled_and_more_than_staff(self) -> None:
        for weak in (
            person("administrator", enrolled=True, active=False),
            person("administrator"),
            person("staff", enrolled=True),
        ):
            assert refused(command("deactivate_staff"), acting(weak)) == "not-permitted"

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_needs_a_step_up_in_the_last_ten_minutes_for_what_is_grave(self, name: str) -> None:
        at = NOW - timedelta(minutes=10)
        stale = acting(person("support", HOME, enrolled=True, verified=at))
        if name in GRAVE:
            assert refused(command(name), stale) == "step-up-required"
        else:
            allowed(command(name), stale)

    @pytest.mark.parametrize(
        ("name", "more", "grave"),
        [
            ("register_staff", {"role": "staff"}, False),
            ("register_staff", {"role": "administrator"}, True),
            ("change_role", {"role": "staff"}, False),
            ("change_role", {"role": "administrator"}, True),
            ("change_staff_details", {"display_name": "Sam"}, False),
            ("change_staff_details", {"email": "sam@evil.example"}, True),
            ("change_staff_details", {"username": "sam"}, True),
        ],
    )
    def test_needs_it_for_what_a_stolen_session_could_stay_in_with(
        self, name: str, more: dict[str, object], *, grave: bool
    ) -> None:
        stale = acting(ADA, session=session_of(ADA, verified=NOW - timedelta(minutes=10)))
        if grave:
            assert refused(command(name, ACME, **more), stale) == "step-up-required"
        else:
            allowed(command(name, ACME, **more), stale)

    def test_needs_it_in_the_session_that_it_was_sent_from(self) -> None:
        stale = session_of(ADA, verified=NOW - timedelta(minutes=10))
        reason = refused(command("disable_two_factor"), acting(ADA, session=stale))
        assert reason == "step-up-required"
        fresh = session_of(ADA)
        assert allowed(command("disable_two_factor"), acting(ADA, session=fresh)) == {
            streams.account(ACME, ADA.staff_id),
            streams.session(ACME, fresh.id),
        }

    def test_needs_a_session_that_holds_and_was_made_with_two_factors(self) -> None:
        for session in (
            session_of(ADA, two_factor=False),
            session_of(ADA, last_seen=NOW - timedelta(minutes=30)),
            session_of(ADA, started=NOW - timedelta(hours=10)),
            session_of(ADA, credential_version=7),
            session_of(SUPPORT),
        ):
            sender = acting(ADA, session=session)
            assert refused(command("deactivate_staff"), sender) == "session-ended"
        unknown = replace(acting(ADA), from_session=True)
        assert refused(command("deactivate_staff"), unknown) == "session-ended"


class TestPublishers:
    def test_are_bound_to_commands_organisations_and_actors(self) -> None:
        bound = Rights(
            "billing",
            frozenset({"deactivate_staff"}),
            frozenset({ACME}),
            frozenset({"service"}),
        )
        allowed(command("deactivate_staff"), serving(bound))
        assert refused(command("reactivate_staff"), serving(bound)) == "not-permitted"
        assert refused(command("deactivate_staff", OTHER), serving(bound)) == "not-permitted"
        assert refused(command("deactivate_staff"), acting(ADA, bound)) == "not-permitted"
        other = Sender("service/operator", bound)
        assert refused(command("deactivate_staff"), other) == "not-permitted"

    @pytest.mark.parametrize("actor", ["service/staff-service", "service/operator", "system"])
    def test_of_people_do_nothing_for_themselves_or_another_service(self, actor: str) -> None:
        sender = Sender(actor, STAFF_KEY)
        assert refused(command("deactivate_staff"), sender) == "not-permitted"

    def test_rely_on_nobodys_account(self) -> None:
        assert allowed(command("deactivate_staff"), serving()) == frozenset()

    def test_the_operators_key_alone_grants_support(self) -> None:
        grant = command("change_role", HOME, role="support")
        allowed(grant, serving(OPERATOR))
        other = Rights("hr", OPERATOR.commands, OPERATOR.organisations, OPERATOR.actors)
        assert refused(grant, serving(other)) == "not-permitted"
        elsewhere = command("register_staff", ACME, role="support")
        assert refused(elsewhere, serving(OPERATOR)) == "support-elsewhere"

    def test_need_no_step_up(self) -> None:
        for name in GRAVE:
            allowed(command(name), serving(OPERATOR))


class TestTheEnvelope:
    ENVELOPE = CommandEnvelope(
        specversion="1.0",
        id="c1",
        source="tests",
        type="twofold.command.deactivate_staff.v1",
        time=NOW,
        audience="here",
        expiry=NOW + timedelta(minutes=1),
        actor="service/operator",
        data={},
    )

    def test_names_this_installation_and_a_time_ahead(self) -> None:
        check_envelope(self.ENVELOPE, "here", NOW)
        with pytest.raises(errors.WrongAudienceError):
            check_envelope(self.ENVELOPE, "there", NOW)
        with pytest.raises(errors.ExpiredError):
            check_envelope(self.ENVELOPE, "here", NOW + timedelta(minutes=1, milliseconds=1))
        with pytest.raises(errors.ExpiryTooFarError):
            check_envelope(self.ENVELOPE, "here", NOW - timedelta(days=1))
        for last in (NOW + timedelta(minutes=1), NOW - timedelta(hours=24, minutes=-1)):
            check_envelope(self.ENVELOPE, "here", last)
