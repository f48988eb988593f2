#!/bin/sh
# Makes the bundled model from nothing: stories, vocabulary, weights, one GGUF file.
# Usage: docs/bundled-model/train.sh [FOLDER]. Run again, it goes on where it was stopped.
set -eu

here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
root=$(CDPATH= cd "$here/../.." && pwd -P)
work=${1:-$root/target/bundled-model}
llama=$root/llama
mkdir -p "$work"

# train RUN OPTION...: trains in the folder RUN unless it has a model, going on where it was stopped.
train() {
  run=$1
  shift
  if [ -d "$run/model" ]; then return; fi
  if ls "$run"/checkpoints/step-* > /dev/null 2>&1; then set -- --resume "$@"; fi
  "$llama" train -o "$run" "$@"
}

if [ ! -f "$work/stories.txt" ]; then
  "$llama" generate-stories --documents 60000 --seed 1 --short --out "$work/short.txt"
  "$llama" generate-stories --documents 60000 --seed 1 --out "$work/stories.txt"
fi
if [ ! -f "$work/tokenizer/tokenizer.model" ]; then
  "$llama" train-tokenizer --vocab-size 4096 --special-tokens 16 --out "$work/tokenizer" \
    "$work/stories.txt"
fi
train "$work/first" --tokenizer "$work/tokenizer" --data "$work/short.txt" "$here/short.json"
train "$work/second" --model "$work/first/model" --data "$work/short.txt" \
  --data "$work/stories.txt" "$here/run.json"
"$llama" quantize --type Q8_0 --force "$work/second/model" "$work/stories.gguf"
echo "To bundle it: cp $work/stories.gguf $root/llama-cli/src/main/resources/dev/llama/cli/" >&2
