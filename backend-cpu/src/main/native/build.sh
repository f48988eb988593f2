#!/bin/sh
# Builds the libraries of every platform whose compiler is here into a resource folder:
#   build.sh ../resources
# On Debian: apt-get install gcc gcc-aarch64-linux-gnu gcc-mingw-w64-x86-64
# With PLATFORMS=linux-x86-64 for one of them alone.
set -eu
export LC_ALL=C

here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
resources=$(CDPATH= cd "$1" && pwd -P)
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
cd "$here"

. ./levels.sh

# The digest of the files in the order of their names, each as it is in the repository.
digest=$(cat ./*.c ./*.h ./*.sh | sha256sum | cut -d ' ' -f 1)

flags="$flags -Wall -Wextra -Werror -fPIC"

# level COMPILER NAME FLAGS...: every kernel for one instruction set.
level() {
  compiler=$1
  name=$2
  shift 2
  for file in $kernels table; do
    $compiler $flags -DLEVEL="$name" "$@" -c "$file.c" -o "$objects/$file-$name.o"
  done
}

# link COMPILER FOLDER FILE FLAGS...: with what runs before the instruction set is known.
link() {
  compiler=$1
  folder=$resources/$2
  file=$3
  shift 3
  for common in features pages jni; do
    $compiler $flags -DSOURCES="\"$digest\"" -c $common.c -o "$objects/$common.o"
  done
  mkdir -p "$folder"
  $compiler -shared -nostdlib -nostartfiles -Wl,--build-id=none "$@" -s \
    -o "$folder/$file" "$objects"/*.o
  rm "$objects"/*.o
  echo "built $folder/$file"
}

# wanted PLATFORM COMPILER
wanted() {
  case " ${PLATFORMS:-$1} " in *" $1 "*) ;; *) return 1 ;; esac
  command -v "$2" >/dev/null && return 0
  echo "skipped: no $2"
  return 1
}

if wanted linux-x86-64 "$X86_64_CC"; then
  level "$X86_64_CC" avx2 $avx2
  level "$X86_64_CC" avx512 $avx512
  level "$X86_64_CC" avx512vnni $avx512vnni
  level "$X86_64_CC" amx $amx
  link "$X86_64_CC" linux-x86-64 libllama_cpu.so -Wl,-z,noexecstack -Wl,-z,defs
fi

if wanted linux-aarch64 "$AARCH64_CC"; then
  level "$AARCH64_CC" neon $neon
  level "$AARCH64_CC" dotprod $dotprod
  # Newer Android devices have pages of 16 KiB.
  link "$AARCH64_CC" linux-aarch64 libllama_cpu.so -Wl,-z,noexecstack -Wl,-z,defs \
    -Wl,-z,max-page-size=16384
fi

if wanted win32-x86-64 "$MINGW_CC"; then
  level "$MINGW_CC" avx2 $avx2 $windows
  level "$MINGW_CC" avx512 $avx512 $windows
  level "$MINGW_CC" avx512vnni $avx512vnni $windows
  link "$MINGW_CC" win32-x86-64 llama_cpu.dll -Wl,--no-insert-timestamp
fi
