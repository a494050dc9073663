#!/usr/bin/env python3
"""Makes a golden folder of a small random model that scores texts, as Hugging Face transformers does it.

  make_score_golden.py --all tests/golden_scores     every model below

DIR is a checkpoint of transformers' ...ForSequenceClassification, and DIR/golden.safetensors holds, of B texts of different
lengths, one after the other:
  tokens [N] i32, starts [B+1] i32, scores [B, num_labels],
  loss [1]: the mean over pairs (texts 0 and 1, 2 and 3, ...) and labels of -log sigmoid(score of the first - score of the second),
  grad.NAME for every tensor NAME of the checkpoint.
All is computed in f64, each text alone; the maker checks that transformers gives the same for all of them padded into one batch.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import DeepseekV2ForSequenceClassification, LlamaForSequenceClassification

import hf_deepseek
import hf_llama
from golden_presets import preset
from make_golden import SEEDS, SMALLEST_MARGIN, per_expert, stored_type

LENGTHS, PAD = (9, 14, 1, 6, 20, 3), 5
# (preset whose shapes it has, labels): a reward model, and a dense classifier in bf16.
MODELS = {"reward_v2": ("v2_like", 1), "classifier_llama": ("llama_mqa", 3)}


def build(config, seed, dtype):
    torch.manual_seed(seed)
    kind = LlamaForSequenceClassification if config.model_type == "llama" else DeepseekV2ForSequenceClassification
    model = kind(config).double()
    for name, parameter in model.named_parameters():
        draw = torch.randn(parameter.shape, dtype=torch.float64)
        if name.endswith("norm.weight"):
            draw = 1 + 0.2 * draw
        elif "embed_tokens" not in name:
            draw = draw * (2.0 if "gate.weight" in name else 1.2) / math.sqrt(parameter.shape[-1])
        parameter.data.copy_(draw.to(stored_type(name, dtype)))
    return model.eval()


def texts(vocabulary, seed):
    generator = torch.Generator().manual_seed(seed)
    ids = [torch.randint(0, vocabulary, (length,), generator=generator) for length in LENGTHS]
    return [torch.where(text == PAD, PAD + 1, text) for text in ids]


def check_padded(model, ids, scores):
    """transformers finds each text's last token by its id."""
    width = max(LENGTHS)
    rows = torch.stack([F.pad(text, (0, width - len(text)), value=PAD) for text in ids])
    with torch.no_grad():
        padded = model(input_ids=rows, attention_mask=(rows != PAD).long(), use_cache=False).logits
    torch.testing.assert_close(padded, scores.detach(), rtol=1e-9, atol=1e-9)


def compute(model, seed):
    ids = texts(model.config.vocab_size, seed)
    model.zero_grad()
    margin, rows = math.inf, []
    for text in ids:
        rows.append(model(input_ids=text[None], use_cache=False).logits[0])
        margin = min(margin, hf_deepseek.smallest_margin(model))
    scores = torch.stack(rows)
    loss = -F.logsigmoid(scores[0::2] - scores[1::2]).mean()
    loss.backward()
    check_padded(model, ids, scores)
    starts = torch.tensor([0, *LENGTHS]).cumsum(0)
    golden = {
        "tokens": torch.cat(ids).int(), "starts": starts.int(), "scores": scores.detach().float(),
        "loss": loss.detach().float().reshape(1),
    }  # fmt: skip
    for name, parameter in model.named_parameters():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        golden |= {f"grad.{part}": grad.float().contiguous() for part, grad in per_expert(name, gradient)}
    return golden, margin


def write(folder, model, dtype):
    folder.mkdir(parents=True, exist_ok=True)
    stored = type(model)(model.config)
    stored.load_state_dict(model.state_dict())
    for name, parameter in stored.named_parameters():
        parameter.data = parameter.data.to(stored_type(name, dtype))
    stored.config.dtype = dtype
    stored.save_pretrained(folder)


def make(folder, shapes, labels):
    raw, how = preset(shapes)
    raw |= {"eos_token_id": raw["vocab_size"] - 1, "pad_token_id": PAD, "num_labels": labels}
    config = hf_llama.config_of(json.loads(json.dumps(raw)))
    for seed in range(1, SEEDS):
        model = build(config, seed, how["dtype"])
        hf_deepseek.check_softmax_scale(model)
        golden, margin = compute(model, seed)
        if margin >= SMALLEST_MARGIN:
            break
    else:
        sys.exit(f"{folder}: no seed keeps every choice of experts {SMALLEST_MARGIN} clear")
    write(folder, model, how["dtype"])
    save_file(golden, folder / "golden.safetensors", metadata={"seed": str(seed)})
    print(f"{folder}: seed {seed}, margin {margin:.2e}, loss {golden['loss'].item():.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", type=Path, metavar="DIR", required=True)
    args = parser.parse_args()
    hf_deepseek.mend()
    hf_llama.mend()
    torch.set_num_threads(1)
    for name, (shapes, labels) in MODELS.items():
        make(args.all / name, shapes, labels)


if __name__ == "__main__":
    main()
