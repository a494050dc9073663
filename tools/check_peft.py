#!/usr/bin/env python3
"""Checks an adapter that fathom wrote, and logits computed with it, against PEFT.

  check_peft.py MODEL_DIR ADAPTER_DIR --logits FILE [--save DIR]

FILE holds input_ids [B,T] and logits [B,T,V]. Every tensor of the adapter must find its place, and no adapter may be without
tensors; the error is that of check_hf.py, in f32. --save writes the adapter again, as PEFT does.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from peft.utils.transformers_weight_conversion import convert_peft_adapter_state_dict_for_transformers
from safetensors.torch import load_file

import check_hf


def load(model, folder):
    """The model with the adapter; what load_adapter does, with every tensor accounted for."""
    settings = LoraConfig.from_pretrained(folder)
    settings.inference_mode = False
    peft = get_peft_model(model, settings)
    tensors = load_file(folder / "adapter_model.safetensors")
    converted = convert_peft_adapter_state_dict_for_transformers(peft, settings, tensors)
    report = set_peft_model_state_dict(peft, converted)
    missing = [name for name in report.missing_keys if "lora_" in name or "score" in name]
    if missing or report.unexpected_keys:
        sys.exit(f"{folder}: missing {missing[:5]}, unexpected {report.unexpected_keys[:5]}")
    trained = sum(parameter.numel() for name, parameter in peft.named_parameters() if "lora_" in name)
    print(f"{folder}: {len(tensors)} tensors, {trained} parameters in PEFT, every one found its place")
    return peft.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--logits", type=Path, required=True)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    json.loads((args.adapter / "adapter_config.json").read_text())
    model = load(check_hf.load(args.model), args.adapter)
    error = check_hf.compare(model, args.logits, None)
    if args.save:
        model.save_pretrained(args.save)
    sys.exit(0 if error <= args.tolerance else 1)


if __name__ == "__main__":
    main()
