#!/usr/bin/env python3
"""The training peer: tokens per second of DeepSeek-V2 training steps in Hugging Face transformers and PyTorch.

  torch_train.py CONFIG.json [--batch 8] [--length 512] [--dtype f32|bf16|autocast] [--threads 2] [--device cpu|cuda] [--modes eager:grouped_mm,...]

A mode is how:experts, how = eager or compiled (torch.compile), experts = an experts_implementation of transformers. A step is
forward, backward, clipping to 1.0 and fused AdamW over random tokens. f32: all f32; bf16: weights, gradients and optimizer
state in bf16; autocast: f32 weights under bf16 autocast. One JSON line per mode; a mode that fails, or would need more memory
than the machine has free, says why in its line; the last line is the best. --budget bounds the seconds a mode may take:
it measures as many of --steps as fit, at least one.

Several GPUs: torchrun --nproc-per-node 2 torch_train.py CONFIG.json --device cuda --parallel ddp|fsdp ..., with --batch sequences
for each of them and the tokens per second of all. fsdp shards weights, gradients and optimizer state, layer by layer (FSDP2).
"""

import argparse
import contextlib
import json
import os
import time

import torch
import torch.distributed as dist
import transformers
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from transformers import DeepseekV2Config, DeepseekV2ForCausalLM

EXPERTS = ("eager", "grouped_mm", "batched_mm", "deepgemm", "sonicmoe")
TYPES = {"f32": torch.float32, "autocast": torch.float32, "bf16": torch.bfloat16}


def rank():
    return int(os.environ.get("RANK", 0))


def ranks():
    return int(os.environ.get("WORLD_SIZE", 1))


def free_memory():
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def check_memory(config, tokens, experts, dtype):
    """batched_mm copies a whole expert per (token, choice), and backward copies it again."""
    if experts == "batched_mm":
        expert = 3 * config.hidden_size * config.moe_intermediate_size * TYPES[dtype].itemsize
        layers = config.num_hidden_layers - config.first_k_dense_replace
        need = tokens * config.num_experts_per_tok * expert * layers
        if need > free_memory() // 2:
            raise MemoryError(f"would keep {need / 2**30:.0f} GiB of copied expert weights")


def shard(model):
    for layer in model.model.layers:
        fully_shard(layer)
    fully_shard(model)


class Trainer:
    def __init__(self, config, dtype, how, experts, device, parallel):
        config._attn_implementation, config._experts_implementation = "sdpa", experts
        torch.manual_seed(1)
        with torch.device(device):
            self.model = DeepseekV2ForCausalLM(config).to(TYPES[dtype]).train()
        if parallel == "fsdp":
            shard(self.model)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True
        )
        # A bucket of DDP's is reduced beside the backward pass of the layers before it.
        self.run = DistributedDataParallel(self.model, gradient_as_bucket_view=True) if parallel == "ddp" else self.model
        if how == "compiled":
            self.run = torch.compile(self.run)
        self.autocast, self.device = dtype == "autocast", device

    def step(self, ids):
        ids = ids.to(self.device)
        with torch.autocast(self.device, torch.bfloat16) if self.autocast else contextlib.nullcontext():
            loss = self.run(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()  # waits for the GPU


def measure(config, args, how, experts):
    start = time.perf_counter()
    if args.device == "cpu":
        check_memory(config, args.batch * args.length, experts, args.dtype)
    trainer = Trainer(config, args.dtype, how, experts, args.device, args.parallel)
    generator = torch.Generator().manual_seed(2 + rank())

    def step():
        ids = torch.randint(0, config.vocab_size, (args.batch, args.length), generator=generator)
        begin = time.perf_counter()
        loss = trainer.step(ids)
        if args.parallel:
            dist.barrier()
        return time.perf_counter() - begin, loss

    for _ in range(args.warmup):
        step()
    warm, times = time.perf_counter() - start, []
    # Ranks whose clocks differ would measure other numbers of steps.
    while len(times) < args.steps and (args.parallel or not times or time.perf_counter() - start + times[-1] < args.budget):
        seconds, loss = step()
        times.append(seconds)
    median = sorted(times)[len(times) // 2]
    return {
        "tokens_per_s": round(args.batch * args.length * ranks() / median, 1), "step_s": round(median, 3), "fastest_step_s": round(min(times), 3),
        "steps": len(times), "setup_s": round(warm, 1), "loss": round(loss, 4),
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--dtype", choices=TYPES, default="f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--parallel", choices=("ddp", "fsdp"), help="under torchrun")
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--budget", type=float, default=300, help="seconds per mode, set-up included")
    parser.add_argument("--modes", default=",".join(f"{how}:{experts}" for how in ("eager", "compiled") for experts in EXPERTS))
    args = parser.parse_args()
    if args.parallel:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl", device_id=torch.device("cuda", int(os.environ["LOCAL_RANK"])))
    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    results = []
    for mode in args.modes.split(","):
        how, experts = mode.split(":")
        torch.compiler.reset()
        torch.cuda.empty_cache()
        line = {"mode": mode, "parallel": args.parallel, "ranks": ranks(), "dtype": args.dtype, "batch": args.batch, "length": args.length, "threads": args.threads}
        try:
            line |= measure(DeepseekV2Config.from_json_file(args.config), args, how, experts)
            results.append(line)
        except Exception as error:  # a peer's failure is a result, not the end of the run
            line["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        if rank() == 0:
            print(json.dumps(line), flush=True)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "cpus": os.cpu_count()}
    if rank() > 0:
        return
    print(json.dumps({"best": max(results, key=lambda line: line["tokens_per_s"], default=None), **versions}))


if __name__ == "__main__":
    main()
