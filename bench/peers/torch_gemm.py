#!/usr/bin/env python3
"""GFLOPS of PyTorch's matrix product x [M,K] times w [N,K] transposed, the shape of a linear layer, on the CPU.

  torch_gemm.py [M,N,K ...] [--threads 2] [--dtypes f32,bf16] [--seconds 0.5]

One JSON line per shape and type: the best and the median of repeated calls, and the best of all at the end.
"""

import argparse
import json
import time

import torch

SHAPES = ("4096,512,512", "4096,1408,512", "4096,512,1408", "4096,8192,512", "1024,704,512", "2048,2048,2048", "1,2048,2048", "8,2048,2048")
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def measure(m, n, k, dtype, seconds):
    x, w = torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype)
    times, end = [], None
    while end is None or len(times) < 5 or time.perf_counter() < end:
        begin = time.perf_counter()
        torch.nn.functional.linear(x, w)
        if end is None:
            end = time.perf_counter() + seconds  # the first call only warms up
        else:
            times.append(time.perf_counter() - begin)
    times.sort()
    work = 2e-9 * m * n * k
    return work / times[0], work / times[len(times) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="*", default=SHAPES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtypes", default="f32,bf16")
    parser.add_argument("--seconds", type=float, default=0.5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name in args.dtypes.split(","):
        peak = 0.0
        for shape in args.shapes:
            best, median = measure(*map(int, shape.split(",")), TYPES[name], args.seconds)
            peak = max(peak, best)
            line = {"mnk": shape, "dtype": name, "gflops": round(best, 1), "median_gflops": round(median, 1)}
            print(json.dumps(line), flush=True)
        print(json.dumps({"dtype": name, "peak_gflops": round(peak, 1), "threads": args.threads, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
