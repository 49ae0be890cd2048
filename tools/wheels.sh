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
      --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_28_aarch64 --platform manylinux_2_35_aarch64 \
      --dest .deps/downloads -r .deps/downloads/requirement.txt; then
      return
    fi
    echo "Download of ${requirement%% *} failed (attempt $attempt of 4)." >&2
    [ "$attempt" = 4 ] || sleep $((attempt * 3))
  done
  echo "Could not download ${requirement%% *}. Check the network (pip's own settings, such as a proxy or a mirror, are" \
    "respected) and run this again: what is complete already is kept." >&2
  exit 1
}

# unpack_wheel PATH HASH FOLDER [FILE]...: makes PATH of one folder of the wheel, and of further files (patterns).
unpack_wheel() {
  local path=$1 hash=$2 folder=$3 wheel file
  shift 3
  wheel=$(sha256sum .deps/downloads/*.whl | awk -v hash="$hash" '$1 == hash {print $2}')
  rm -rf "$path" .deps/unpacked
  python3 -m zipfile -e "$wheel" .deps/unpacked
  for file in "$@"; do
    # shellcheck disable=SC2086
    mv .deps/unpacked/$file ".deps/unpacked/$folder"
  done
  mv ".deps/unpacked/$folder" "$path"
  rm -rf .deps/unpacked
}

# unpack_requirements FILE FOLDER: makes FOLDER/NAME of each wheel that FILE pins. What is there already is kept.
unpack_requirements() {
  local folder=$2 requirement name stamp
  mkdir -p "$folder"
  while read -r requirement; do
    name=${requirement%%==*}
    stamp=$folder/$name.stamp
    if [ -d "$folder/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$requirement" ] &&
      { [ "$name" = cmake ] || [ -d "$folder/$name/licenses" ]; }; then
      continue
    fi
    echo "Fetching ${requirement%% *}"
    fetch_wheel "$requirement"
    case $name in
      cmake)
        unpack_wheel "$folder/cmake" "${requirement##*sha256:}" cmake/data
        chmod +x "$folder"/cmake/bin/*  # zipfile drops the mode
        ;;
      openvino)
        # Without Python's side, and without the plugins of other devices and the readers of other formats, which are most of it.
        unpack_wheel "$folder/openvino" "${requirement##*sha256:}" openvino 'openvino-*.dist-info/licenses'
        find "$folder/openvino" -mindepth 1 -maxdepth 1 ! -name include ! -name libs ! -name licenses -exec rm -r {} +
        find "$folder/openvino/libs" -type f ! -name 'lib*tbb*' ! -name 'libhwloc.so*' ! -name 'libopenvino.so*' \
          ! -name 'libopenvino_c.so*' ! -name 'libopenvino_*_cpu_plugin.so' ! -name 'libopenvino_ir_frontend.so*' \
          ! -name 'libopenvino_onnx_frontend.so*' -delete
        ;;
      *) unpack_wheel "$folder/$name" "${requirement##*sha256:}" "$name" "$name-*.dist-info/licenses" ;;
    esac
    echo "$requirement" >"$stamp"
  done < <(grep -v '^#' "$1")
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
