"""Where a login may lead on to."""

import pytest

from services.web.pages.places import Places

PLACES = Places(auth="https://auth.example/", staff="https://staff.example")


class TestPlaces:
    @pytest.mark.parametrize(
        "path", ["/", "/home", "/staff/organisations/7d0c5f4e-0000/people?two_factor=on&q=a+b"]
    )
    def test_plain_paths_are_ours(self, path: str) -> None:
        assert PLACES.own(path) == path

    @pytest.mark.parametrize(
        "path",
        [
            "", "home", "//evil.example", "/\\evil.example", "\\\\evil.example", "/a//b", "/../a",
            "https://evil.example", "javascript:alert(1)", "/a\nb", "/a\t", "/a#b", "/%2f%2fevil",
            "/@evil.example", "/a;b", "/" + "a" * 500,
        ],
    )  # fmt: skip
    def test_nothing_else_is(self, path: str) -> None:
        assert PLACES.own(path) is None

    def test_staffs_paths_are_served_by_the_staff_service(self) -> None:
        assert PLACES.address("/staff") == "https://staff.example/staff"
        assert PLACES.address("/staff/organisations") == "https://staff.example/staff/organisations"
        assert PLACES.address("/staffing") == "https://auth.example/staffing"
        assert PLACES.address("/home") == "https://auth.example/home"
