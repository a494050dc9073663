#!/usr/bin/env bash
# Shows what YaRN and a short training at the new length do: a small model learns to find needles within 128 tokens, is
# extended to 512, and is asked at both lengths and between as it was trained, with YaRN alone, and after training.
#   tools/long_context.sh [DEVICE] [short]
# DEVICE is cpu or cuda; FATHOM names the program, TEXT the text. Everything is written to OUT (out/long-context): the models,
# NAME.json and NAME.svg of needles, NAME-positions.json of the loss by position. The short form goes the same way in a few
# seconds, in which nothing is learnt.
set -euo pipefail
cd "$(dirname "$0")/.."
device=${1:-cpu}
fathom=${FATHOM:-build/cpu/fathom}
text=${TEXT:-data/kjv.jsonl.zst}
out=${OUT:-out/long-context}
divide=1 samples=20 windows=64 steps=()
[ "${2:-}" != short ] || divide=100 samples=2 windows=4 steps=(--schedule.steps 6 --schedule.warmup_steps 2)
corpus=(tools/needle_corpus.py --text "$text" --sentence "Remember {key} {value}." --digits 3)
rm -rf "$out"
mkdir -p "$out"

# The vocabulary comes from the first: of documents with fewer needles.
"${corpus[@]}" --documents $((80000 / divide)) --bytes 300 --needles 12 --out "$out/sparse.jsonl"
"${corpus[@]}" --documents $((100000 / divide)) --bytes 160 --needles 14 --out "$out/short.jsonl"
"${corpus[@]}" --documents $((5000 / divide)) --bytes 1200 --needles 60 --seed 2 --out "$out/long.jsonl"
$fathom prepare "$out/sparse.jsonl" --train-tokenizer 512 --validation 0.005 --out "$out/sparse"
$fathom prepare "$out/short.jsonl" --tokenizer "$out/sparse" --validation 0.005 --out "$out/short"
$fathom prepare "$out/long.jsonl" --tokenizer "$out/sparse" --validation 0.02 --out "$out/long"

$fathom train --config recipes/needle.toml --run.device "$device" --data.train "$out/short" --run.output "$out/trained" "${steps[@]}"
extend=("$fathom" extend "$out/trained/model" --from 128 --to 512)
"${extend[@]}" --out "$out/yarn/model"
"${extend[@]}" --config recipes/needle-extend.toml --run.device "$device" --data.train "$out/long" --run.output "$out/extended" "${steps[@]}"

for name in trained yarn extended; do
  echo "== $name"
  $fathom eval needle "$out/$name/model" --text "$text" --lengths 64,128,256,384,512 --depths 0,25,50,75,100 --samples $samples --digits 3 \
    --needle "Remember {key} {value}." --question "Remember {key}" --tasks number,key --device "$device" \
    --out "$out/$name.json" --picture "$out/$name.svg"
  $fathom eval positions "$out/$name/model" --text "$text" --length 512 --windows $windows --ranges 8 --device "$device" \
    --out "$out/$name-positions.json"
done
