#!/bin/sh
# Builds the libraries of every platform whose compiler is here into a resource folder:
#   build.sh ../resources
# On Debian: apt-get install gcc gcc-aarch64-linux-gnu gcc-mingw-w64-x86-64
set -eu
export LC_ALL=C

here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
resources=$(CDPATH= cd "$1" && pwd -P)
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
cd "$here"

# The digest of the files in the order of their names, each as it is in the repository.
digest=$(cat ./*.c ./*.h ./build.sh | sha256sum | cut -d ' ' -f 1)

flags="-std=gnu11 -O3 -Wall -Wextra -Werror -ffreestanding -fPIC -fvisibility=hidden
  -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
  -fno-math-errno -ffp-contract=fast"

# level COMPILER NAME FLAGS...: every kernel for one instruction set.
level() {
  compiler=$1
  name=$2
  shift 2
  for kernels in product quantized attention; do
    $compiler $flags -DLEVEL="$name" "$@" -c $kernels.c -o "$objects/$kernels-$name.o"
  done
}

# link COMPILER FOLDER FILE FLAGS...
link() {
  compiler=$1
  folder=$resources/$2
  file=$3
  shift 3
  $compiler $flags -DSOURCES="\"$digest\"" -c features.c -o "$objects/features.o"
  mkdir -p "$folder"
  $compiler -shared -nostdlib -nostartfiles -Wl,--build-id=none "$@" -s \
    -o "$folder/$file" "$objects"/*.o
  rm "$objects"/*.o
  echo "built $folder/$file"
}

missing() {
  command -v "$1" >/dev/null && return 1
  echo "skipped: no $1"
}

avx2="-mavx2 -mfma -mf16c -mtune=haswell -fcf-protection=none"

missing "${X86_64_CC:=x86_64-linux-gnu-gcc}" || {
  level "$X86_64_CC" avx2 $avx2
  link "$X86_64_CC" linux-x86-64 libllama_cpu.so -Wl,-z,noexecstack -Wl,-z,defs -Wl,--gc-sections
}

missing "${AARCH64_CC:=aarch64-linux-gnu-gcc}" || {
  level "$AARCH64_CC" neon -march=armv8-a -mno-outline-atomics
  level "$AARCH64_CC" dotprod -march=armv8.2-a+dotprod -mno-outline-atomics
  # Newer Android devices have pages of 16 KiB.
  link "$AARCH64_CC" linux-aarch64 libllama_cpu.so -Wl,-z,noexecstack -Wl,-z,defs \
    -Wl,-z,max-page-size=16384
}

missing "${MINGW_CC:=x86_64-w64-mingw32-gcc}" || {
  # The stack of Windows is aligned to 16 bytes, and this compiler aligns it no further.
  level "$MINGW_CC" avx2 $avx2 -Wa,-muse-unaligned-vector-move
  link "$MINGW_CC" win32-x86-64 llama_cpu.dll -Wl,--no-insert-timestamp
}
