#!/usr/bin/env python3
"""Scoring tasks with fathom and with lm-evaluation-harness on transformers: same model, same prompts, one run.

  bench/evaluation.py MODEL --data DIR [--tasks mmlu,arc_easy] [--device cpu|cuda] [--dtype f32|bf16] [--batch 16]

Where MODEL is not there, --config CONFIG.json --tokenizer FOLDER make one of random weights with transformers. The harness gets the
prompts and answers of fathom's records, through its model class for transformers, as its own tasks would ask. Of fathom both the
whole command counts, with loading, and the time from the first item to the last; of the harness its requests alone. Needs a
Python with lm_eval, torch and transformers, and says so where it is not there.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPES = {"f32": "float32", "bf16": "bfloat16"}


def make_model(args):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, DeepseekV2Config

    config = DeepseekV2Config.from_json_file(args.config)
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    config.vocab_size = len(tokenizer)  # fathom takes probabilities over ids that have a token
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    torch.manual_seed(1)
    with torch.device(args.device):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, TYPES[args.dtype]))
    model.save_pretrained(args.model)
    for file in Path(args.tokenizer).glob("tokenizer*.json"):
        (args.model / file.name).write_bytes(file.read_bytes())
    del model
    if args.device == "cuda":
        torch.cuda.empty_cache()


def run_fathom(args, task, out):
    command = [args.fathom, "eval", args.model, "--task", task, "--data", args.data, "--out", out, "--device", args.device,
               "--dtype", args.dtype, "--limit", args.limit, *(["--sequences", args.sequences] if args.sequences else [])]
    start = time.monotonic()
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    whole = time.monotonic() - start
    seconds = re.search(r"items, \S+/s, ((\d+)m )?([\d.]+)s", run.stderr)
    records = [json.loads(line) for line in open(out / f"{task}.jsonl", encoding="utf-8")]
    return records, whole, 60 * float(seconds[2] or 0) + float(seconds[3])


def requests_of(records, tokenizer):
    from lm_eval.api.instance import Instance

    requests = []
    for record in records:
        for i, option in enumerate(record.get("options", [])):
            prompts = record["prompts"]
            pair = (prompts[i if len(prompts) > 1 else 0].rstrip(), tokenizer.decode(option["ids"]))
            requests.append(Instance("loglikelihood", {}, pair, i, ("task", record["id"], 1)))
    return requests


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--tasks", default="mmlu,arc_easy")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="f32", choices=TYPES)
    parser.add_argument("--batch", default="16", help="of the harness; auto lets it try")
    parser.add_argument("--sequences", type=int, help="of fathom, instead of its own")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--config")
    parser.add_argument("--tokenizer")
    parser.add_argument("--fathom", default=str(ROOT / "build/cpu/fathom"))
    args = parser.parse_args()
    try:
        from lm_eval.models.huggingface import HFLM
    except ImportError as e:
        print(f"skipped: {e}")
        sys.exit(77)
    if not (args.model / "config.json").exists():
        make_model(args)
    with tempfile.TemporaryDirectory() as folder:
        measured = [(task, *run_fathom(args, task, Path(folder))) for task in args.tasks.split(",")]
    lm = HFLM(str(args.model), device=args.device, dtype=TYPES[args.dtype], batch_size=args.batch, max_length=4096)
    for task, records, whole, seconds in measured:
        requests = requests_of(records, lm.tokenizer)
        lm.loglikelihood(requests[:8], disable_tqdm=True)  # warms up
        start = time.monotonic()
        scores = lm.loglikelihood(requests, disable_tqdm=True)
        peer = time.monotonic() - start
        ours = [option["sum"] for record in records for option in record["options"]]
        worst = max(abs(a - b) for a, (b, _) in zip(ours, scores))
        print(f"{task}: {len(records)} items; fathom {whole:.1f} s, {seconds:.1f} s of them for the items; harness {peer:.1f} s: "
              f"{peer / whole:.1f}x and {peer / seconds:.1f}x; log-probabilities differ by at most {worst:.2g}", flush=True)  # fmt: skip


main()
