#!/bin/sh
# Builds the kernels with a test in C and runs it, where need be in an emulator:
#   test.sh
# On Debian: apt-get install gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
#            gcc-mingw-w64-x86-64 wine
set -eu

here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
sources=$here/../../main/native
. "$sources/levels.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# run COMPILER LEVEL "FLAGS" RUNNER...: runner is empty for this machine.
run() {
  compiler=$1
  level=$2
  level_flags=$3
  shift 3
  if ! command -v "$compiler" >/dev/null || { [ $# -gt 0 ] && ! command -v "$1" >/dev/null; }; then
    echo "skipped: $level, no $compiler or no $*"
    return
  fi
  for file in $kernels table; do
    $compiler $flags $level_flags -DLEVEL="$level" -c "$sources/$file.c" -o "$work/$file.o"
  done
  $compiler $flags -DSOURCES='""' -c "$sources/features.c" -o "$work/features.o"
  for test in kernels_test grad_test; do
    $compiler -std=gnu11 -O2 -Wall -Wextra -Werror -DLEVEL="$level" -iquote "$sources" -static \
      "$here/$test.c" "$work"/*.o -lm -o "$work/test.exe"
    "$@" "$work/test.exe"
  done
}

# native LEVEL FEATURE "FLAGS": where this CPU has it.
native() {
  if grep -qw "$2" /proc/cpuinfo; then
    run "$X86_64_CC" "$1" "$3"
    [ "$1" = amx ] || run "$MINGW_CC" "$1" "$3 $windows" wine # no tiles on Windows
  else
    echo "skipped: $1, not in this CPU"
  fi
}

native avx2 avx2 "$avx2"
native avx512 avx512vl "$avx512"
native avx512vnni avx512_vnni "$avx512vnni"
native amx amx_bf16 "$amx"
run "$AARCH64_CC" neon "$neon" qemu-aarch64 -cpu cortex-a53
run "$AARCH64_CC" dotprod "$dotprod" qemu-aarch64 -cpu max
