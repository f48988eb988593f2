#!/bin/sh
# Builds the driver emulator with the kernels of src/main/cuda in it:
#   build.sh FOLDER
# puts libcuda_emulator.so there. Objects are kept there as well, under the digest of what they were
# made of, so that only what has changed is compiled again.
set -eu

out=$1
here=$(cd "$(dirname "$0")" && pwd)
kernels=$(cd "$here/../../main/cuda" && pwd)
# Unaligned addresses and indices beyond an array end in a trap, which fibres.cpp reports.
flags="-std=c++20 -O2 -g1 -fPIC -fvisibility=hidden -march=native -fno-strict-aliasing -Wall \
-DLLAMA_EMULATOR=800 -I$here"
traps="-fsanitize=alignment,bounds -fsanitize-undefined-trap-on-error -Wno-unknown-pragmas \
-Wno-unused-function -Wno-unused-variable -Wno-sign-compare"

mkdir -p "$out"
digest() { cat "$@" | sha256sum | cut -c 1-16; }

# Prints the object that a source becomes, and compiles it unless it is there.
compile() {
  case $1 in
    *.cu) object=$out/$(basename "$1").$(digest "$0" "$here/emulator.h" "$kernels"/*.cuh "$1").o ;;
    *) object=$out/$(basename "$1").$(digest "$0" "$here"/*.h "$1").o ;;
  esac
  if [ ! -f "$object" ]; then
    case $1 in
      *.cu) g++ $flags $traps -x c++ -c -o "$object.$$" "$1" ;;
      *) g++ $flags -Wextra -c -o "$object.$$" "$1" ;;
    esac
    mv "$object.$$" "$object"
  fi
  echo "$object"
}

if [ "${2-}" = "compile" ]; then
  compile "$3"
  exit
fi
objects=$(printf "%s\n" "$here"/*.cpp "$here"/*.cu "$kernels"/*.cu |
  xargs -P 2 -n 1 "$0" "$out" compile)
g++ -shared -o "$out/libcuda_emulator.so.$$" $objects
mv "$out/libcuda_emulator.so.$$" "$out/libcuda_emulator.so"
