#!/bin/sh
# Compiles the kernels to PTX, compressed, with a list of what is in which file:
#   build.sh FOLDER [DIRECTORY OF nvcc AND ptxas]
# Needs a CUDA toolkit, but no device. A file whose head says `also: compute_80` is compiled for that
# as well. What nvcc writes is marked as the oldest PTX that has all that is in it, so that drivers
# older than the toolkit take it; ptxas checks it.
set -eu
export LC_ALL=C

out=$1
tools=${2:-/usr/local/cuda/bin}
here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
out=$(CDPATH= cd "$out" && pwd -P)
cd "$here"
rm -f "$out"/*.ptx.gz "$out/kernels.txt"

# compile FILE ARCHITECTURE: writes the module, prints its line of the list.
compile() {
  name=$(basename "$1" .cu)
  ptx=$work/$name.$2.ptx
  "$tools/nvcc" -ptx -arch="compute_$2" -o "$work/new.ptx" "$1"
  sed -e 's/^\.version .*/.version 7.0/' -e '/used_bytes_mask/d' -e '/^\/\//d' -e '/^$/d' \
    "$work/new.ptx" > "$ptx"
  "$tools/ptxas" -arch "sm_$2" -o /dev/null "$ptx"
  gzip -9 -n -c "$ptx" > "$out/$name.$2.ptx.gz"
  echo "$name $2" $(sed -n 's/^\.visible \.entry \([a-z0-9_]*\)(.*/\1/p' "$ptx" | sort)
}

{
  echo "# module, compute capability, kernels; made by build.sh"
  echo "# sources $(cat *.cu *.cuh | sha256sum | cut -c 1-64)"
  for file in *.cu; do
    compile "$file" 75
    if head -n 10 "$file" | grep -q 'also: compute_80'; then
      compile "$file" 80
    fi
  done
} > "$work/kernels.txt"
mv "$work/kernels.txt" "$out/kernels.txt"
