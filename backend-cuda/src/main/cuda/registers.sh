#!/bin/sh
# Prints what the kernels use, as a table in Markdown, and fails if a decode kernel spills:
#   registers.sh [DIRECTORY OF nvcc AND ptxas] > table.md
# Needs a CUDA toolkit, but no device.
set -eu
export LC_ALL=C

here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
tools=${1:-/usr/local/cuda/bin}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here"

# usage FILE PTX-ARCHITECTURE DEVICE: kernel, device, registers, shared bytes, spilled bytes.
usage() {
  name=$(basename "$1" .cu)
  ptx=$work/$name.$2.ptx
  if [ ! -e "$ptx" ]; then
    "$tools/nvcc" -ptx -arch="compute_$2" -o "$ptx" "$1"
  fi
  "$tools/ptxas" -v -arch "sm_$3" -o /dev/null "$ptx" 2>&1 | awk -v device="$3" '
    /Compiling entry function/ { split($0, quoted, "\047"); kernel = quoted[2] }
    /spill stores/ { spilled = $5 + $9 }
    /Used [0-9]+ registers/ {
      match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
      shared = 0
      if (match($0, /[0-9]+ bytes smem/)) { shared = substr($0, RSTART, RLENGTH) + 0 }
      print kernel, device, registers, shared, spilled
    }'
}

for file in *.cu; do
  for device in 75 80 90; do
    ptx=75
    if [ "$device" -ge 80 ] && head -n 10 "$file" | grep -q 'also: compute_80'; then
      ptx=80
    fi
    usage "$file" $ptx $device
  done | sed "s/^/$(basename "$file" .cu) /"
done > "$work/usage"

awk '
  {
    key = $1 " " $2
    if (!(key in seen)) { seen[key] = 1; order[++count] = key; file[key] = $1; kernel[key] = $2 }
    registers[key, $3] = $4; shared[key] = $5 > shared[key] ? $5 : shared[key]
    spilled[key, $3] = $6
    if ($6 > 0 && $2 ~ /^(matvec|attention_decode|attention_merge|rms_norm|rope|kv_append|argmax|sample|quantize)/) {
      print $2 " spills " $6 " bytes on sm_" $3 > "/dev/stderr"; bad = 1
    }
  }
  function cell(key, device) {
    return registers[key, device] (spilled[key, device] > 0 ? " (" spilled[key, device] ")" : "")
  }
  END {
    print "| file | kernel | sm_75 | sm_80 | sm_90 | shared |"
    print "| --- | --- | ---: | ---: | ---: | ---: |"
    for (i = 1; i <= count; i++) {
      key = order[i]
      print "| " file[key] " | " kernel[key] " | " cell(key, 75) " | " cell(key, 80) " | " cell(key, 90) " | " shared[key] + 0 " |"
    }
    exit bad
  }' "$work/usage"
