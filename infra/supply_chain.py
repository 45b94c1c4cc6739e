"""
What the services are made of: a CycloneDX SBOM with licences, and known vulnerabilities.

`python -m infra.supply_chain sbom` writes `build/sbom.cdx.json` and `build/licences.txt`, out of an
environment that holds what requirements.txt locks and nothing else; `... audit` asks the advisory
service that pip-audit asks, and fails where it got no answer: nothing audited is not nothing found.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

LOCKED: Final = ("requirements.txt", "requirements-dev.txt")
SBOM: Final = Path("build/sbom.cdx.json")
LICENCES: Final = Path("build/licences.txt")
_PATIENCE: Final = 600


class SupplyChainError(Exception):
    """It wasn't done; the message is one sentence."""


def sbom() -> str:
    """
    Write both files.

    Returns:
        A sentence with what they hold.

    Raises:
        SupplyChainError: An environment can't be made, or holds another set than is locked.
    """
    tools = _environment(Path(".venv-sbom"), "requirements-sbom.txt")
    made = _environment(Path(".venv-production"), "requirements.txt")
    SBOM.parent.mkdir(exist_ok=True)
    _run(
        str(tools / "cyclonedx-py"),
        *("environment", str(made / "python"), "--pyproject", "pyproject.toml"),
        *("--spec-version", "1.6", "--output-reproducible", "--output-file", str(SBOM)),
    )
    components = _without_pip(json.loads(SBOM.read_text()))
    listed = {(_plain(one["name"]), one["version"]) for one in components}
    locked = set(locked_in(Path("requirements.txt")))
    if stray := sorted(listed - locked):
        raise SupplyChainError(f"The SBOM holds {stray[0]}, which requirements.txt doesn't lock.")
    LICENCES.write_text("".join(f"{line}\n" for line in _licences(components)))
    unknown = [line for line in _licences(components) if line.endswith("?")]
    return f"{SBOM}: {len(listed)} packages; {LICENCES}: their licences" + (
        f", {len(unknown)} untold." if unknown else ", all told."
    )


def audit() -> str:
    """
    Ask for known vulnerabilities of everything that is locked.

    Returns:
        A sentence with how much was looked up.

    Raises:
        SupplyChainError: There are some, or the advisory service didn't answer for some package.
    """
    looked_up = 0
    for file in LOCKED:
        done = subprocess.run(
            [
                sys.executable, "-m", "pip_audit", "--requirement", file,
                "--require-hashes", "--disable-pip",
                "--format", "json", "--progress-spinner", "off",
            ],
            capture_output=True, text=True, check=False, timeout=_PATIENCE,
        )  # fmt: skip
        try:
            found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
        except (ValueError, KeyError) as error:
            raise SupplyChainError(
                f"The advisory service can't be reached, so nothing of {file} was audited."
            ) from error
        for one in found:
            if one.get("vulns"):
                ids = ", ".join(vulnerability["id"] for vulnerability in one["vulns"])
                raise SupplyChainError(f"{one['name']} {one['version']} ({file}) has {ids}.")
        if silent := [one["name"] for one in found if "skip_reason" in one]:
            raise SupplyChainError(
                f"The advisory service can't be asked here: {len(silent)} of {len(found)} packages"
                f" in {file} weren't audited; run this where it can be reached."
            )
        looked_up += len(found)
    return f"{looked_up} locked packages looked up, no known vulnerability."


def locked_in(file: Path) -> Iterator[tuple[str, str]]:
    """Names and versions in a requirements file."""
    for line in file.read_text().splitlines():
        name, exactly, rest = line.partition("==")
        if exactly and not line.startswith((" ", "#")):
            yield _plain(name.strip()), rest.split()[0]


def _plain(name: str) -> str:
    """As packages are compared: ``prometheus_client`` is ``prometheus-client``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _environment(folder: Path, requirements: str) -> Path:
    """An environment with exactly that; made anew where it changed. Gives its programs' folder."""
    programs, stamp = folder / "bin", folder / "locked"
    wanted = Path(requirements).read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(
            str(programs / "python"),
            *("-m", "pip", "install", "--disable-pip-version-check", "--quiet"),
            *("--require-hashes", "--no-deps", "--requirement", requirements),
        )
        stamp.write_text(wanted)
    return programs


def _without_pip(bom: dict[str, Any]) -> list[dict[str, Any]]:
    """The components; what only installs them, and came with the environment, isn't delivered."""
    locked = dict(locked_in(Path("requirements.txt")))
    tools = {"pip", "setuptools"} - locked.keys()
    gone = {one["bom-ref"] for one in bom["components"] if _plain(one["name"]) in tools}
    bom["components"] = [one for one in bom["components"] if one["bom-ref"] not in gone]
    bom["dependencies"] = [one for one in bom["dependencies"] if one["ref"] not in gone]
    SBOM.write_text(json.dumps(bom, indent=2) + "\n")
    components: list[dict[str, Any]] = bom["components"]
    return components


def _licences(components: list[dict[str, Any]]) -> list[str]:
    return sorted(f"{one['name']} {one['version']}: {_licence(one)}" for one in components)


def _licence(component: Mapping[str, Any]) -> str:
    told = [
        one.get("expression") or one["license"].get("id") or one["license"].get("name", "")
        for one in component.get("licenses", ())
    ]
    short = [line.strip() for line in told if line.strip() and "\n" not in line.strip()]
    exact = [line for line in short if "::" not in line]
    # A classifier, such as "License :: OSI Approved :: BSD License", where there's nothing better.
    return ", ".join(dict.fromkeys(exact or [line.split(" :: ")[-1] for line in short])) or "?"


def _run(*command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_PATIENCE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise SupplyChainError(f"{Path(command[0]).name} failed: {said[-1]}")


def main() -> int:
    """Do one of the two, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m infra.supply_chain")
    parser.add_argument("what", choices=("sbom", "audit"))
    try:
        print({"sbom": sbom, "audit": audit}[parser.parse_args().what]())
    except SupplyChainError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
