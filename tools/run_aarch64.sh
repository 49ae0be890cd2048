#!/bin/bash
# Runs a command of 64-bit Arm by QEMU in .deps/aarch64/root, where the checkout lies at its own path and the processor is a Cortex-A76, as
# on a Raspberry Pi 5. Needs root, and Linux 6.7 where QEMU is not registered for programs of Arm.
# usage: tools/run_aarch64.sh COMMAND ARGUMENT...
set -euo pipefail
cd "$(dirname "$0")/.."

# QEMU 7.2 shows the host's file, and ExecuTorch's and our own look at processors reads this.
cpuinfo=.deps/aarch64/cpuinfo
for ((i = 0; i < $(nproc); ++i)); do
  printf 'processor\t: %s\nBogoMIPS\t: 108.00\n' "$i"
  printf 'Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n'
  printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\nCPU part\t: 0xd0b\nCPU revision\t: 1\n\n'
done >$cpuinfo.$$
mv $cpuinfo.$$ $cpuinfo

# shellcheck disable=SC2016
exec unshare --map-root-user --mount bash -c '
  set -e
  root=$PWD/.deps/aarch64/root
  for folder in /proc /sys /dev "$PWD"; do
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
  done
  mount --bind .deps/aarch64/cpuinfo "$root/proc/cpuinfo"
  if ! chroot "$root" true 2>/dev/null; then
    mount -t binfmt_misc binfmt_misc "$root/proc/sys/fs/binfmt_misc"
    cat /usr/lib/binfmt.d/qemu-aarch64.conf >"$root/proc/sys/fs/binfmt_misc/register"
  fi
  exec chroot "$root" /usr/bin/env -i -C "$PWD" HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 QEMU_CPU=cortex-a76 "$@"' bash "$@"
