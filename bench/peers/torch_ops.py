#!/usr/bin/env python3
"""The peer of ops_bench on a GPU: its table again, with the time of PyTorch's operator beside every row that has one.

  ops_bench "" cuda >table; torch_ops.py <table

Attention is scaled_dot_product_attention by the fastest of its backends; experts' products are torch's grouped_mm (bf16);
backward passes are those of autograd, weight gradients in the weights' type; AdamW is the fused one.
"""

import re
import sys
import warnings

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
BACKENDS = (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)


def randn(*shape, dtype="f32", grad=False):
    return torch.randn(*shape, device="cuda", dtype=TYPES[dtype], requires_grad=grad)


def milliseconds(body):
    for _ in range(3):
        body()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    times, total = [], 0.0
    while total < 100 or len(times) < 3:
        start.record()
        for _ in range(10):
            body()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / 10)
        total += times[-1] * 10
    return sorted(times)[len(times) // 2]


def backward_of(outputs, inputs):
    """The backward pass alone, over and over."""
    gradient = torch.randn_like(outputs)
    return lambda: torch.autograd.grad(outputs, inputs, gradient, retain_graph=True)


def attention(direction, batch, length, heads, nope, rope, value, dtype):
    q, k = (randn(batch, heads, length, nope + rope, dtype=dtype, grad=True) for _ in range(2))
    v = randn(batch, heads, length, value, dtype=dtype, grad=True)
    best = None
    for backend in BACKENDS:
        try:
            with sdpa_kernel(backend):
                run = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
                time = milliseconds(run if direction == "forward" else backward_of(run(), (q, k, v)))
        except (RuntimeError, torch.OutOfMemoryError):
            continue  # does not take these sizes
        best = time if best is None else min(best, time)
        torch.cuda.empty_cache()
    return best


def linear(which, n, o, i, dtype):
    x, w, dout = randn(n, i, dtype=dtype), randn(o, i, dtype=dtype), randn(n, o, dtype=dtype)
    return milliseconds({"forward": lambda: F.linear(x, w), "backward_input": lambda: dout @ w, "backward_weight": lambda: dout.t() @ x}[which])


def grouped_linear(which, experts, m, o, i, dtype):
    if dtype != "bf16":
        return None
    x, w, dout = randn(m, i, dtype=dtype), randn(experts, o, i, dtype=dtype), randn(m, o, dtype=dtype)
    ends = [e * m // experts for e in range(1, experts + 1)]
    offs = torch.tensor(ends, device="cuda", dtype=torch.int32)
    grouped = getattr(F, "grouped_mm", None) or torch._grouped_mm
    return milliseconds(
        {
            "forward": lambda: grouped(x, w.transpose(1, 2), offs=offs),
            "backward_input": lambda: grouped(dout, w, offs=offs),
            "backward_weight": lambda: grouped(dout.t(), x, offs=offs),
        }[which]
    )


def rmsnorm(direction, n, c, dtype):
    x, w = randn(n, c, dtype=dtype, grad=True), randn(c, dtype=dtype, grad=True)
    run = lambda: F.rms_norm(x, (c,), w, 1e-6)
    return milliseconds(run if direction == "forward" else backward_of(run(), (x, w)))


def swiglu(direction, n, f, dtype):
    x = randn(n, 2 * f, dtype=dtype, grad=True)
    run = lambda: F.silu(x[:, :f]) * x[:, f:]
    return milliseconds(run if direction == "forward" else backward_of(run(), (x,)))


def residual_add(n, c, dtype):
    x, y = randn(n, c, dtype=dtype), randn(n, c, dtype=dtype)
    return milliseconds(lambda: x.add_(y))


def embedding_forward(n, c, dtype):
    table, ids = randn(102400, c, dtype=dtype), torch.randint(0, 102400, (n,), device="cuda")
    return milliseconds(lambda: F.embedding(ids, table))


def cross_entropy(n, v, dtype):
    logits, targets = randn(n, v, grad=True), torch.randint(0, v, (n,), device="cuda")

    def both():
        loss = F.cross_entropy(logits, targets, reduction="sum")
        torch.autograd.grad(loss, logits)

    return milliseconds(both) if dtype == "f32" else None


def router_forward(n, e, k):
    logits = randn(n, e)
    return milliseconds(lambda: logits.softmax(-1).topk(k))


def permute(n, c, k, dtype):
    x, rows = randn(n, c, dtype=dtype), torch.randint(0, n, (n * k,), device="cuda")
    return milliseconds(lambda: x.index_select(0, rows))


def adamw(millions, dtype):
    w = randn(millions << 20, dtype=dtype, grad=True)
    w.grad = torch.randn_like(w)
    optimizer = torch.optim.AdamW([w], fused=True)
    return milliseconds(optimizer.step)


def sum_squares(millions):
    x = randn(millions << 20)
    return milliseconds(lambda: torch.linalg.vector_norm(x))


def greedy(n, v):
    logits = randn(n, v)
    return milliseconds(lambda: logits.argmax(-1))


def numbers(*groups):
    return [int(g) if g.isdigit() else g for g in groups]


OPERATORS = (
    (r"attention_(forward|backward) (\d+)x(\d+) H(\d+) (\d+)\+(\d+)/(\d+) (\w+)", attention),
    (r"linear_(forward|backward_input|backward_weight) (\d+)x(\d+)x(\d+) (\w+)", linear),
    (r"grouped_linear_(forward|backward_input|backward_weight) (\d+) experts (\d+)x(\d+)x(\d+) (\w+)", grouped_linear),
    (r"rmsnorm_(forward|backward) (\d+)x(\d+) (\w+)", rmsnorm),
    (r"swiglu_(forward|backward) (\d+)x(\d+) (\w+)", swiglu),
    (r"residual_add (\d+)x(\d+) (\w+)", residual_add),
    (r"embedding_forward (\d+)x(\d+) (\w+)", embedding_forward),
    (r"cross_entropy (\d+)x(\d+) dlogits (\w+)", cross_entropy),
    (r"router_forward (\d+)x(\d+), K (\d+)", router_forward),
    (r"permute (\d+)x(\d+), K (\d+), (\w+)", permute),
    (r"adamw (\d+)M (f32)", adamw),
    (r"sum_squares (\d+)M", sum_squares),
    (r"sample (\d+)x(\d+) greedy", greedy),
)


def operator_time(name):
    for pattern, run in OPERATORS:
        if match := re.fullmatch(pattern, name):
            try:
                return run(*numbers(*match.groups()))
            finally:
                torch.cuda.empty_cache()
    return None


def main():
    warnings.filterwarnings("ignore")  # each attention backend says why it is not another
    for line in sys.stdin:
        line = line.rstrip("\n")
        row = re.match(r"(\w+ .*?)\s{2,}(\d+\.\d+)", line)
        if line.startswith("op, shape"):
            line += f" {'torch ms':>10} {'fathom is':>10}"
        elif row and (theirs := operator_time(row[1])):
            line = f"{line:<104} {theirs:>10.3f} {theirs / float(row[2]):>9.2f}x"
        print(line, flush=True)
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")


if __name__ == "__main__":
    main()
