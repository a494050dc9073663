#!/usr/bin/env python3
"""Checks a checkpoint directory, and logits computed from it, against Hugging Face transformers.

  check_hf.py MODEL_DIR                            loads, runs a few random tokens, round-trips the tokenizer
  check_hf.py MODEL_DIR --logits FILE [--tokens N] compares with FILE (input_ids [B,T], logits [B,T,V]), first N positions
  check_hf.py MODEL_DIR --scores FILE              of a ...ForSequenceClassification, with FILE (tokens [N], starts [B+1],
                                                   scores [B, num_labels]): each text alone, and all padded into one batch
  check_hf.py MODEL_DIR --scored FILE              of a reward model, with the rows that `fathom reward --score` wrote: `prompt`, and
                                                   `chosen` and `rejected`, as texts

The error is max over positions of max_v |ours - theirs| / max_v |theirs|, in f32; exit status 1 past --tolerance.
Plain transformers is used unless config.json asks for what it ignores (see hf_deepseek.py), which is then said.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

import hf_deepseek

TEXTS = (
    "The capital of France is Paris.", "  two  spaces,\ttab\nand lines\r\n\n", "x = [i**2 for i in range(1234567)]  # 3.14",
    "深度求索发布了新模型。", "Ünïcödé Ελληνικά русский 한국어 🙂👩‍🔬", "don't I'll we've", "",
)  # fmt: skip


def needs_mending(config):
    asked = {
        "norm_topk_prob": config.get("norm_topk_prob", False),
        "moe_layer_freq": config.get("moe_layer_freq", 1) != 1,
        "topk_method gready": config.get("topk_method") == "gready",
        "topk_method noaux_tc": config.get("topk_method") == "noaux_tc",
    }
    return [name for name, wanted in asked.items() if wanted]


def mend_for(config):
    asked = needs_mending(config)
    if asked:
        print(f"transformers ignores {', '.join(asked)}: mended by hf_deepseek.py")
        hf_deepseek.mend()


def load(folder):
    config = json.loads((folder / "config.json").read_text())
    mend_for(config)
    scoring = config["architectures"][0].endswith("ForSequenceClassification")
    kind = AutoModelForSequenceClassification if scoring else AutoModelForCausalLM
    model, report = kind.from_pretrained(
        folder, dtype=torch.float32, experts_implementation="eager", output_loading_info=True
    )
    for kind, names in report.items():
        if names:
            sys.exit(f"{folder}: {kind}: {sorted(map(str, names))[:10]}")
    return model.eval()


def compare(model, file, positions):
    """Largest relative error of the logits in `file`."""
    ours = load_file(file)
    ids = ours["input_ids"].long()[:, :positions]
    with torch.no_grad():
        theirs = model(input_ids=ids, use_cache=False).logits
    mine = ours["logits"].float()[:, :positions]
    if mine.shape != theirs.shape:
        sys.exit(f"{file}: logits {list(mine.shape)}, transformers gives {list(theirs.shape)}")
    error = (mine - theirs).abs().amax(-1) / theirs.abs().amax(-1)
    agree = (mine.argmax(-1) == theirs.argmax(-1)).float().mean().item()
    print(f"{ids.numel()} positions: max relative error {error.max():.3e}, mean {error.mean():.3e}, same best token {agree:.2%}")
    return error.max().item() if error.isfinite().all() else float("inf")


def compare_scores(model, file):
    """Largest difference of a score, relative to the largest score."""
    ours = load_file(file)
    bounds = ours["starts"].tolist()
    texts = [ours["tokens"].long()[begin:end] for begin, end in zip(bounds, bounds[1:])]
    width, pad = max(map(len, texts)), model.config.pad_token_id
    rows = torch.stack([torch.nn.functional.pad(text, (0, width - len(text)), value=pad) for text in texts])
    mask = torch.arange(width) < torch.tensor([[len(text)] for text in texts])
    with torch.no_grad():
        alone = torch.cat([model(input_ids=text[None], use_cache=False).logits for text in texts])
        padded = model(input_ids=rows, attention_mask=mask.long(), use_cache=False).logits
    worst = 0
    for name, theirs in (("each alone", alone), ("in one padded batch", padded)):
        error = ((ours["scores"] - theirs).abs().max() / theirs.abs().max()).item()
        print(f"scores of {len(texts)} texts, {name}: max relative error {error:.3e}")
        worst = max(worst, error)
    return worst


def conversation(tokenizer, prompt, answer):
    """Token ids of a question and its answer, by the model's chat template or DeepSeek-V2's."""
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
    else:
        text = f"{tokenizer.bos_token}User: {prompt}\n\nAssistant: {answer}{tokenizer.eos_token}"
    return tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids


def compare_scored(model, tokenizer, file):
    """Largest difference of a score that fathom wrote beside a row, relative to the largest score."""
    ours, theirs = [], []
    for row in map(json.loads, file.read_text().splitlines()):
        for answer in ("chosen", "rejected"):
            ours.append(row[f"{answer}_score"])
            with torch.no_grad():
                theirs.append(model(input_ids=conversation(tokenizer, row["prompt"], row[answer])).logits[0, 0].item())
    error = max(abs(a - b) for a, b in zip(ours, theirs)) / max(map(abs, theirs))
    print(f"{len(ours)} scores: max relative error {error:.3e}")
    return error


def check_tokenizer(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    broken = [
        text
        for text in TEXTS
        if text != tokenizer.decode(tokenizer.encode(text, add_special_tokens=False), clean_up_tokenization_spaces=False)
    ]
    print(f"tokenizer of {len(tokenizer)} tokens: {len(TEXTS) - len(broken)} of {len(TEXTS)} texts round-trip")
    for text in broken:
        print(f"  not equal after encode and decode: {text!r}")
    return not broken


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--logits", type=Path)
    parser.add_argument("--scores", type=Path)
    parser.add_argument("--scored", type=Path)
    parser.add_argument("--tokens", type=int, help="compare only the first N positions, or run N random tokens")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    model = load(args.model)
    print(f"{args.model}: {sum(p.numel() for p in model.parameters())} parameters, every tensor found its place")
    good = True
    if args.logits:
        good = compare(model, args.logits, args.tokens) <= args.tolerance
    elif args.scores:
        good = compare_scores(model, args.scores) <= args.tolerance
    elif args.scored:
        good = compare_scored(model, AutoTokenizer.from_pretrained(args.model), args.scored) <= args.tolerance
    else:
        ids = torch.randint(0, model.config.vocab_size, (1, args.tokens or 16))
        with torch.no_grad():
            good = bool(model(input_ids=ids, use_cache=False).logits.isfinite().all())
        print("logits are finite" if good else "logits are not finite")
    if (args.model / "tokenizer.json").exists():
        good = check_tokenizer(args.model) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
