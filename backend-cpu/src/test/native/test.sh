#!/bin/sh
# Builds the kernels with a test in C and runs it, where need be in an emulator:
#   test.sh
# On Debian: apt-get install gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
#            gcc-mingw-w64-x86-64 wine
set -eu

here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
kernels=$here/../../main/native
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# run COMPILER LEVEL "FLAGS" RUNNER...: runner is empty for this machine.
run() {
  compiler=$1
  level=$2
  flags=$3
  shift 3
  if ! command -v "$compiler" >/dev/null || { [ $# -gt 0 ] && ! command -v "$1" >/dev/null; }; then
    echo "skipped: $level, no $compiler or no $*"
    return
  fi
  freestanding="-std=gnu11 -O3 -ffreestanding -fno-tree-loop-distribute-patterns"
  for file in product quantized attention; do
    $compiler $freestanding $flags -DLEVEL="$level" -c "$kernels/$file.c" -o "$work/$file.o"
  done
  $compiler -std=gnu11 -O2 -DSOURCES='""' -c "$kernels/features.c" -o "$work/features.o"
  $compiler -std=gnu11 -O2 -Wall -Wextra -Werror -DLEVEL="$level" -static "$here/kernels_test.c" \
    "$work"/*.o -lm -o "$work/test.exe"
  "$@" "$work/test.exe"
}

avx2="-mavx2 -mfma -mf16c"
run x86_64-linux-gnu-gcc avx2 "$avx2"
run aarch64-linux-gnu-gcc neon "-march=armv8-a" qemu-aarch64 -cpu cortex-a53
run aarch64-linux-gnu-gcc dotprod "-march=armv8.2-a+dotprod" qemu-aarch64 -cpu max
run x86_64-w64-mingw32-gcc avx2 "$avx2 -Wa,-muse-unaligned-vector-move" wine
