#!/bin/sh
# Makes the bundled model from nothing: stories, vocabulary, weights, one GGUF file.
# Usage: docs/bundled-model/train.sh [FOLDER]. Run again, it goes on where it was stopped.
set -eu

here=$(CDPATH= cd "$(dirname "$0")" && pwd -P)
root=$(CDPATH= cd "$here/../.." && pwd -P)
work=${1:-$root/target/bundled-model}
llama=$root/llama
stories=$work/stories.txt
short=$work/short-stories.txt
mkdir -p "$work"

# train NAME OPTION...: a run with the file NAME.json, in the folder NAME. The evaluations and every
# 25th step go into metrics-NAME.jsonl.
train() {
  name=$1
  shift
  if [ ! -d "$work/$name/model" ]; then
    if ls "$work/$name"/checkpoints/step-* > /dev/null 2>&1; then
      "$llama" train -o "$work/$name" --resume
    else
      "$llama" train -o "$work/$name" "$@" "$here/$name.json"
    fi
  fi
  awk '/validation_loss/ || ++steps % 25 == 0' "$work/$name/metrics.jsonl" \
    > "$work/metrics-$name.jsonl"
  cp "$work/$name/loss.svg" "$work/loss-$name.svg"
}

# The commands put their files in place when these are complete: what is there is done.
if [ ! -f "$stories" ]; then
  "$llama" generate-stories --documents 60000 --seed 1 --out "$stories"
fi
if [ ! -f "$short" ]; then
  "$llama" generate-stories --documents 60000 --seed 1 --short --out "$short"
fi
if [ ! -f "$work/tokenizer/tokenizer.model" ]; then
  "$llama" train-tokenizer --vocab-size 4096 --special-tokens 16 --overwrite \
    --out "$work/tokenizer" "$stories" "$short"
fi
train short --tokenizer "$work/tokenizer" --data "$short"
train all --model "$work/short/model" --data "$short" --data "$stories"
"$llama" quantize --type Q8_0 --force "$work/all/model" "$work/stories.gguf"
echo "To bundle it: cp $work/stories.gguf $root/llama-cli/src/main/resources/dev/llama/cli/" >&2
