#!/usr/bin/env bash
# Makes .venv in the project from the hash-locked requirements, and makes it again only when those change.
# Usage: infra/make-venv.sh requirements.txt (what running needs) or requirements-dev.txt (that and the tests' tools).
set -euo pipefail

cd "$(dirname "$0")/.."
wanted=$1
python=${PYTHON:-python3}
stamp=.venv/twofold-stamp

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Twofold needs Python 3.11 or newer, and $python is $("$python" --version 2>&1 || true): install one, or name it with PYTHON=..." >&2
    exit 1
fi

fingerprint() {
    cat "$1" pyproject.toml infra/make-venv.sh | "$python" -c \
        'import hashlib, sys; print(sys.argv[1], hashlib.sha256(sys.stdin.buffer.read()).hexdigest())' "$1"
}

# The tests' environment holds everything that running needs, so it will do for that too.
if [ -x .venv/bin/python ] && [ -f "$stamp" ]; then
    have=$(cat "$stamp")
    for file in "$wanted" requirements-dev.txt; do
        [ "$have" = "$(fingerprint "$file")" ] && exit 0
    done
fi

echo "Making the virtual environment .venv from $wanted ..."
rm -f "$stamp"
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c '' 2>/dev/null; then
    rm -rf .venv
    "$python" -m venv .venv || {
        echo "Python couldn't make a virtual environment: install its venv module (on Debian: apt-get install python3-venv)." >&2
        exit 1
    }
fi
.venv/bin/python -m pip install --disable-pip-version-check --require-hashes --requirement "$wanted" |
    { grep --line-buffered -vE '^(Requirement already satisfied|  Using cached|Installing collected|Successfully)' || true; }
.venv/bin/python -m pip install --disable-pip-version-check -qq --no-deps --no-build-isolation --editable .
.venv/bin/python -m pip check --disable-pip-version-check >/dev/null
fingerprint "$wanted" >"$stamp"
