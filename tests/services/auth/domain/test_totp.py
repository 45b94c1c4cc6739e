"""Codes, against the RFCs' own vectors."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest

from services.auth.domain import totp

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
SEED = bytes.fromhex(VECTORS["totp"]["seed_hex"])
AT = datetime.fromtimestamp(59, UTC)


@pytest.mark.parametrize("vector", VECTORS["totp"]["codes"], ids=lambda v: v["seconds"])
def test_rfc_6238_appendix_b(vector: dict[str, object]) -> None:
    seconds, code = int(str(vector["seconds"])), str(vector["code"])
    now = datetime.fromtimestamp(seconds, UTC)
    assert totp.matching_time_step(SEED, code, now) == seconds // 30


@pytest.mark.parametrize(("counter", "code"), list(enumerate(VECTORS["hotp"]["codes"])))
def test_rfc_4226_appendix_d(counter: int, code: str) -> None:
    now = datetime.fromtimestamp((counter + 1) * 30, UTC)  # One step later, when it still lives.
    assert totp.matching_time_step(SEED, code, now) == counter


@pytest.mark.parametrize(
    ("offset", "matches"),
    [(-90, False), (-60, False), (-31, False), (-30, False), (-1, False), (0, True), (1, True),
     (29, True), (30, True), (59, True), (60, False), (90, False)],
)  # fmt: skip
def test_a_code_lives_for_its_step_and_the_next(offset: int, *, matches: bool) -> None:
    begins = datetime.fromtimestamp(1_200_000_000, UTC)
    step = 1_200_000_000 // 30
    code = pyotp.TOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").generate_otp(step)
    found = totp.matching_time_step(SEED, code, begins + timedelta(seconds=offset))
    assert found == (step if matches else None)


@pytest.mark.parametrize("text", VECTORS["not_codes"]["texts"])
def test_what_is_not_six_ascii_digits_matches_nothing(text: str) -> None:
    assert not totp.is_code(text)
    assert totp.matching_time_step(SEED, text, AT) is None


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        totp.matching_time_step(SEED, "287082", datetime(2026, 1, 1))  # noqa: DTZ001 -- That is it.


def test_the_uri_says_what_an_app_needs() -> None:
    uri = totp.otpauth_uri(SEED, account="sam.smith", issuer="agentOS")
    parts = urlsplit(uri)
    asked = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == (
        "otpauth", "totp", "/agentOS:sam.smith",
    )  # fmt: skip
    assert asked["secret"] == ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]
    assert asked["issuer"] == ["agentOS"]
    # Left to their defaults, which every app shares: SHA-1, six digits, 30 s.
    assert asked.get("algorithm", ["SHA1"]) == ["SHA1"]
    assert asked.get("digits", ["6"]) == ["6"]
    assert asked.get("period", ["30"]) == ["30"]


def test_the_secret_is_grouped_for_typing() -> None:
    assert totp.secret_text(SEED) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
