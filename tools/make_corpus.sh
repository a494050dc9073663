#!/bin/bash
# Rebuilds data/*.jsonl.zst from two Debian packages with public-domain text (data/README.md). Needs apt,
# dpkg-deb, python3 and zstd; nothing is installed.
#   tools/make_corpus.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/../data}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
apt-get download bible-kjv-text bible-kjv jargon-text
for package in *.deb; do dpkg-deb -x "$package" .; done
(cd usr/lib && ../bin/bible -f Gen1:1-Rev22:21) > kjv.txt  # a verse a line
gzip -dc usr/share/doc/jargon-text/jargon.txt.gz > jargon.txt
for text in kjv jargon; do
  python3 "$here/clean_corpus.py" $text $text.txt > $text.jsonl
  zstd -q -19 -f $text.jsonl -o "$out/$text.jsonl.zst"
  echo "$out/$text.jsonl.zst: $(wc -l < $text.jsonl) documents, $(wc -c < $text.jsonl) bytes of JSON"
done
