#!/usr/bin/env python3
"""The generation peer: prefill and decode tokens per second of Hugging Face transformers.

  torch_generate.py MODEL_DIR|CONFIG.json [--device cpu|cuda] [--dtypes f32,bf16] [--batch 1] [--prompt 512] [--new 64] [--threads 2]

Random prompt; prefill is one pass that fills the cache and takes the last logits, decode is one pass per greedy token. With
a config.json the weights are random. --experts names experts_implementation; the default tries those that run on a CPU.
--compiled decodes through generate() with the static cache, whose steps transformers compiles. One JSON line per dtype and
implementation; the fastest decode and prefill at the end.
"""

import argparse
import json
import time
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, DeepseekV2Config, DynamicCache

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def load(path, dtype, experts, device):
    if path.is_file():
        torch.manual_seed(1)
        with torch.device(device):
            model = AutoModelForCausalLM.from_config(
                DeepseekV2Config.from_json_file(path), dtype=dtype, experts_implementation=experts
            )
    else:
        model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, experts_implementation=experts)
    return model.to(device).eval()


def now(device):
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


@torch.inference_mode()
def prefill(model, ids, device):
    """(seconds, first token, cache)."""
    cache = DynamicCache(config=model.config)
    begin = now(device)
    token = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1:].argmax(-1)
    return now(device) - begin, token, cache


@torch.inference_mode()
def decode(model, ids, new_tokens, device):
    """Seconds per step, pass by pass."""
    _, token, cache = prefill(model, ids, device)
    begin = now(device)
    for _ in range(new_tokens):
        token = model(input_ids=token, past_key_values=cache, use_cache=True).logits[:, -1:].argmax(-1)
    return (now(device) - begin) / new_tokens


@torch.inference_mode()
def decode_compiled(model, ids, new_tokens, device):
    """Seconds per step of generate(), less what a single token takes."""

    def seconds(tokens):
        begin = now(device)
        model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens,
            cache_implementation="static", pad_token_id=0,
        )  # fmt: skip
        return now(device) - begin

    return (seconds(1 + new_tokens) - seconds(1)) / new_tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--dtypes", default="f32,bf16")
    parser.add_argument("--experts", default="eager,grouped_mm,batched_mm")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--compiled", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    run_decode = decode_compiled if args.compiled else decode
    results = []
    for dtype in args.dtypes.split(","):
        for experts in args.experts.split(","):
            line = {"dtype": dtype, "experts": experts, "batch": args.batch, "prompt": args.prompt, "new": args.new}
            try:
                model = load(args.model, TYPES[dtype], experts, args.device)
                config = model.config
                copied = 2 * config.hidden_size * config.moe_intermediate_size * TYPES[dtype].itemsize
                if experts == "batched_mm" and args.batch * args.prompt * config.num_experts_per_tok * copied > 8 * 2**30:
                    raise MemoryError("batched_mm would copy more than 8 GiB of expert weights in prefill")
                ids = torch.randint(0, config.vocab_size, (args.batch, args.prompt), generator=torch.Generator().manual_seed(2))
                ids = ids.to(args.device)
                prefill(model, ids, args.device)
                line["prefill_tokens_per_s"] = round(ids.numel() / min(prefill(model, ids, args.device)[0] for _ in range(args.repeats)), 1)
                run_decode(model, ids, 4, args.device)
                line["decode_tokens_per_s"] = round(args.batch / min(run_decode(model, ids, args.new, args.device) for _ in range(args.repeats)), 2)
                results.append(line)
            except Exception as error:  # a peer's failure is a result, not the end of the run
                line["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            print(json.dumps(line), flush=True)
            model = None
    best = {key: max(results, key=lambda line: line[key], default=None) for key in ("prefill_tokens_per_s", "decode_tokens_per_s")}
    print(json.dumps({"best": best, "torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
