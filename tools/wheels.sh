# Functions for set-up, run in the root of the checkout: wheels of PyPI, pinned by hash.
# shellcheck shell=bash

# is_wanted FILE NAME: whether .deps/NAME is not yet what the only line of FILE pins, which `requirement` is then. Where that is
# unpacked, `stamp` has to be written.
is_wanted() {
  if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "The wheel in $1 is for Linux on x86-64; this is $(uname -sm)." >&2
    exit 1
  fi
  requirement=$(grep -v '^#' "$1") || exit 1
  stamp=.deps/$2/requirement.txt
  [ "$(cat "$stamp" 2>/dev/null)" != "$requirement" ]
}

# fetch_wheel REQUIREMENT: downloads it to .deps/downloads, unless it is there.
fetch_wheel() {
  local requirement=$1 hash=${1##*sha256:} attempt
  if find .deps/downloads -name '*.whl' -exec sha256sum {} + 2>/dev/null | grep -q "^$hash "; then
    return
  fi
  mkdir -p .deps/downloads
  echo "$requirement" >.deps/downloads/requirement.txt
  for attempt in 1 2 3 4; do
    if python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
      --python-version 3.11 --implementation cp --abi cp311 --abi none --platform manylinux_2_28_x86_64 \
      --platform manylinux2014_x86_64 --dest .deps/downloads -r .deps/downloads/requirement.txt; then
      return
    fi
    echo "Download of ${requirement%% *} failed (attempt $attempt of 4)." >&2
    [ "$attempt" = 4 ] || sleep $((attempt * 3))
  done
  echo "Could not download ${requirement%% *}. Check the network (pip's own settings, such as a proxy or a mirror, are" \
    "respected) and run this again: what is complete already is kept." >&2
  exit 1
}

# unpack_wheel NAME HASH FOLDER [FILE]...: makes .deps/NAME of one folder of the wheel, and of further files (patterns).
unpack_wheel() {
  local name=$1 hash=$2 folder=$3 wheel file
  shift 3
  wheel=$(sha256sum .deps/downloads/*.whl | awk -v hash="$hash" '$1 == hash {print $2}')
  rm -rf ".deps/$name" .deps/unpacked
  python3 -m zipfile -e "$wheel" .deps/unpacked
  for file in "$@"; do
    # shellcheck disable=SC2086
    mv .deps/unpacked/$file ".deps/unpacked/$folder"
  done
  mv ".deps/unpacked/$folder" ".deps/$name"
  rm -rf .deps/unpacked
}

# install_requirements ENVIRONMENT REQUIREMENTS OPTION...: by the environment's pip. Not compiled ahead of use: that takes three minutes,
# and few of the files are ever imported.
install_requirements() {
  local environment=$1 requirements=$2 attempt
  shift 2
  for attempt in 1 2 3 4; do
    if "$environment/bin/python" -m pip install --disable-pip-version-check --no-deps --no-compile --require-hashes \
      --only-binary :all: -r "$requirements" "$@"; then
      return
    fi
    echo "Installing $requirements failed (attempt $attempt of 4)." >&2
    [ "$attempt" = 4 ] || sleep $((attempt * 3))
  done
  echo "Could not install $requirements. Check the network and the space left on the disk, then run this again." >&2
  exit 1
}
