#!/usr/bin/env bash
# Installs the programs that tests look for and that are missing: as root on Debian alone. Elsewhere it says what to
# install, and pytest skips those tests by name (with CI=true it fails instead).
set -euo pipefail

declare -A package=([chromium]=chromium [kcat]=kcat [oathtool]=oathtool)

missing=()
for tool in "${!package[@]}"; do
    command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Tests that need ${missing[*]} will be skipped: install them to run those too."
    exit 0
fi

echo "Installing ${missing[*]} for the tests (once) ..."
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" |
    { grep --line-buffered -E '^(Need to get|Get:[0-9]+0 |Setting up (chromium|kcat|oathtool))' || true; }
for tool in "${missing[@]}"; do
    command -v "$tool" >/dev/null || { echo "$tool could not be installed: see apt-get install $tool." >&2; exit 1; }
done
