#!/bin/sh
# Makes the bundled model from nothing: stories, vocabulary, weights, one GGUF file.
# Usage: docs/bundled-model/train.sh [FOLDER]. Run again, it goes on where it was stopped.
set -eu

here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
root=$(CDPATH= cd "$here/../.." && pwd -P)
work=${1:-$root/target/bundled-model}
llama=$root/llama
mkdir -p "$work"

# stage N OPTION...: trains in the folder stage-N unless it has a model, going on where it stopped.
stage() {
  run=$work/stage-$1
  file=$here/stage-$1.json
  shift
  if [ -d "$run/model" ]; then return; fi
  if ls "$run"/checkpoints/step-* > /dev/null 2>&1; then set -- --resume "$@"; fi
  "$llama" train -o "$run" "$@" "$file"
}

short=$work/short.txt
stories=$work/stories.txt
if [ ! -f "$stories" ]; then
  "$llama" generate-stories --documents 60000 --seed 1 --short --out "$short"
  "$llama" generate-stories --documents 60000 --seed 1 --out "$stories"
fi
if [ ! -f "$work/tokenizer/tokenizer.model" ]; then
  "$llama" train-tokenizer --vocab-size 4096 --special-tokens 16 --out "$work/tokenizer" "$stories"
fi
stage 1 --tokenizer "$work/tokenizer" --data "$stories"
stage 2 --model "$work/stage-1/model" --data "$short"
stage 3 --model "$work/stage-2/model" --data "$short" --data "$stories"
stage 4 --model "$work/stage-3/model" --data "$short" --data "$stories"
"$llama" quantize --type Q8_0 --force "$work/stage-4/model" "$work/stories.gguf"
echo "To bundle it: cp $work/stories.gguf $root/llama-cli/src/main/resources/dev/llama/cli/" >&2
