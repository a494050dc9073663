#!/usr/bin/env python3
"""Checks an adapter that fathom wrote, and logits computed with it, against PEFT.

  check_peft.py MODEL_DIR ADAPTER_DIR --logits FILE [--save DIR]

FILE holds input_ids [B,T] and logits [B,T,V]. Every tensor of the adapter must find its place, and no adapter may be without
tensors; the error is that of check_hf.py, in f32. --save writes the adapter again, as PEFT does.
"""

import argparse
import sys
import warnings
from pathlib import Path

from peft import PeftModel
from safetensors.torch import load_file

import check_hf


def load(model, folder):
    """The model with the adapter, as PeftModel.from_pretrained loads it, with every tensor accounted for."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        peft = PeftModel.from_pretrained(model, folder)
    # (PEFT 0.21.2 also says that patterns of parameters matched no module, and uses them all the same.)
    faults = [str(w.message)[:300] for w in said if "adapter keys" in str(w.message)]
    tensors = load_file(folder / "adapter_model.safetensors")
    adapted = [(name, parameter) for name, parameter in peft.named_parameters() if "lora_" in name]
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
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    model = load(check_hf.load(args.model), args.adapter)
    error = check_hf.compare(model, args.logits, None)
    if args.save:
        model.save_pretrained(args.save)
    sys.exit(0 if error <= args.tolerance else 1)


if __name__ == "__main__":
    main()
