#!/usr/bin/env python3
"""Checks an adapter that fathom wrote, and what was computed with it, against PEFT.

  check_peft.py MODEL_DIR ADAPTER_DIR --logits FILE [--save DIR]
  check_peft.py MODEL_DIR ADAPTER_DIR --scores FILE           of a reward model: an adapter with a score head

FILE is that of check_hf.py: input_ids [B,T] and logits [B,T,V], or tokens, starts and scores. Every tensor of the adapter must find
its place, and no adapter may be without tensors; the error is that of check_hf.py, in f32. --save writes the adapter again, as PEFT does.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

import check_hf


def scoring(folder):
    """The language model of a folder with a score head in place of its own, which an adapter is to bring."""
    check_hf.mend_for(json.loads((folder / "config.json").read_text()))
    model, report = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=1, dtype=torch.float32, experts_implementation="eager", output_loading_info=True
    )
    strangers = set(map(str, report["missing_keys"])) - {"score.weight"} | set(map(str, report["unexpected_keys"])) - {"lm_head.weight"}
    if strangers:
        sys.exit(f"{folder}: {sorted(strangers)[:10]}")
    model.config.pad_token_id = model.config.bos_token_id  # as fathom has it
    return model


def load(model, folder):
    """The model with the adapter, as PeftModel.from_pretrained loads it, with every tensor accounted for."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        peft = PeftModel.from_pretrained(model, folder)
    # (PEFT 0.21.2 also says that patterns of parameters matched no module, and uses them all the same.)
    faults = [str(w.message)[:300] for w in said if "adapter keys" in str(w.message)]
    tensors = load_file(folder / "adapter_model.safetensors")
    adapted = [(name, parameter) for name, parameter in peft.named_parameters() if "lora_" in name or "modules_to_save" in name]
    zero = [name for name, parameter in adapted if not parameter.any()]
    if faults or zero:
        sys.exit(f"{folder}: {faults} without values: {zero[:5]}")
    count = sum(parameter.numel() for _, parameter in adapted)
    print(f"{folder}: {len(tensors)} tensors, {count} parameters in PEFT, every one found its place")
    return peft.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("adapter", type=Path)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--logits", type=Path)
    what.add_argument("--scores", type=Path)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    model = load(scoring(args.model) if args.scores else check_hf.load(args.model), args.adapter)
    error = check_hf.compare_scores(model, args.scores) if args.scores else check_hf.compare(model, args.logits, None)
    if args.save:
        model.save_pretrained(args.save)
    sys.exit(0 if error <= args.tolerance else 1)


if __name__ == "__main__":
    main()
