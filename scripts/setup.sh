#!/bin/sh
# Makes .venv/ from the lock and installs the project into it. Needs Python 3.11 to 3.13 with venv, nothing else.
set -eu
cd "$(dirname "$0")/.."

supported() { "$1" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

python=""
for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if supported "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "No Python 3.11, 3.12 or 3.13 with venv found. Install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi

if ! { [ -x .venv/bin/python ] && supported .venv/bin/python; }; then
    echo "Making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
echo "Installing the locked packages"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r scripts/uv.txt

# uv does not read pip's configuration: a mirror that is set up for pip serves both.
index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)}}
[ -z "$index" ] || export UV_DEFAULT_INDEX="$index"

# Where Python is told to keep no bytecode, as containers often do, every process of Airflow would compile for seconds.
compile=""
[ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || compile=--compile-bytecode

if ! .venv/bin/uv pip sync --python .venv/bin/python $compile --require-hashes requirements.lock; then
    echo "uv could not install the lock; trying pip, which takes a few minutes"
    .venv/bin/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
touch .venv/.installed
