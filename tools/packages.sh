#!/bin/bash
# Installs the Debian packages of the groups named (see packages.txt). Without root or sudo it installs nothing and says
# which packages to ask for.
# usage: tools/packages.sh GROUP...
set -euo pipefail
cd "$(dirname "$0")/.."

pattern="^($(IFS='|'; echo "$*")) "
mapfile -t wanted < <(grep -E "$pattern" tools/packages.txt | cut -d' ' -f2)

if ! command -v dpkg-query apt-get >/dev/null; then
  echo "This set-up is for Debian 12. Elsewhere, install what these Debian packages hold: ${wanted[*]}" >&2
  exit 1
fi
missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
    root=(sudo)
  else
    cat >&2 <<END
Some Debian packages are missing, and installing them needs root. Nothing has been changed.
Ask for these, then run this again:

  apt-get install -y --no-install-recommends ${missing[*]}

END
    exit 1
  fi
fi

apt() {
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=600 "$@" >.deps/apt.log 2>&1 || {
    tail -15 .deps/apt.log >&2
    echo "apt-get $1 failed (the whole log is in .deps/apt.log). Check the network and run this again." >&2
    exit 1
  }
}
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
mkdir -p .deps
apt update
apt install -y --no-install-recommends "${missing[@]}"
