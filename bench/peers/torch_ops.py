#!/usr/bin/env python3
"""The peers of ops_bench on a GPU: its table again, with the time and the name of the fastest peer beside every row that has one.

  ops_bench "" cuda >table; torch_ops.py <table

Peers are PyTorch's operators: attention is scaled_dot_product_attention by the fastest of its backends, and cuDNN's own time is
named too where it takes the sizes; experts' products are grouped_mm (bf16); backward passes are those of autograd, weight gradients in
the weights' type. With grouped heads scaled_dot_product_attention gets enable_gqa; paged attention's peer is the same over a contiguous
cache, which it need not look up. Latent attention over 512+64 bf16 has FlashMLA, a program that FATHOM_FLASHMLA names: called with the number
of contexts, their length and the number of heads, it prints milliseconds.
"""

import math
import os
import re
import subprocess
import sys
import warnings

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
CUDNN = "sdpa cudnn"
BACKENDS = {
    "sdpa flash": SDPBackend.FLASH_ATTENTION,
    CUDNN: SDPBackend.CUDNN_ATTENTION,
    "sdpa efficient": SDPBackend.EFFICIENT_ATTENTION,
    "sdpa math": SDPBackend.MATH,
}


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


def timed(peer, body):
    """What each operator below returns: milliseconds by the name of the peer."""
    return {peer: milliseconds(body)}


def attention_times(direction, q, k, v, causal):
    times, gqa = {}, q.shape[1] != k.shape[1]
    for peer, backend in BACKENDS.items():
        try:
            with sdpa_kernel(backend):
                run = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=gqa)
                times |= timed(peer, run if direction == "forward" else backward_of(run(), (q, k, v)))
        except (RuntimeError, torch.OutOfMemoryError):
            continue  # does not take these sizes
        torch.cuda.empty_cache()
    return {peer: times[peer] for peer in (min(times, key=times.get, default=CUDNN), CUDNN) if peer in times}


def attention(direction, batch, length, heads, nope, rope, value, dtype):
    q, k = (randn(batch, heads, length, nope + rope, dtype=dtype, grad=True) for _ in range(2))
    v = randn(batch, heads, length, value, dtype=dtype, grad=True)
    return attention_times(direction, q, k, v, causal=True)


def grouped_attention(direction, batch, length, heads, kv_heads, key, value, dtype):
    q, k, v = (randn(batch, n, length, d, dtype=dtype, grad=True) for n, d in ((heads, key), (kv_heads, key), (kv_heads, value)))
    return attention_times(direction, q, k, v, causal=True)


def paged_attention(batch, length, heads, kv_heads, key, value, dtype):
    q = randn(batch, heads, 1, key, dtype=dtype)
    k, v = (randn(batch, length, kv_heads, d, dtype=dtype).transpose(1, 2) for d in (key, value))
    return attention_times("forward", q, k, v, causal=False)


def prefix_attention(queries, keys, heads, nope, rope, value, dtype):
    q, k = (randn(1, heads, n, nope + rope, dtype=dtype) for n in (queries, keys))
    return attention_times("forward", q, k, randn(1, heads, keys, value, dtype=dtype), causal=False)


def latent_attention(batch, length, heads):
    program = os.environ.get("FATHOM_FLASHMLA")
    if not program:
        return {}
    run = subprocess.run([program, str(batch), str(length), str(heads)], stdout=subprocess.PIPE, text=True, timeout=120)
    return {"FlashMLA": float(run.stdout)} if run.returncode == 0 else {"FlashMLA failed": math.nan}


def linear(which, n, o, i, dtype):
    x, w, dout = randn(n, i, dtype=dtype), randn(o, i, dtype=dtype), randn(n, o, dtype=dtype)
    return timed("matmul", {"forward": lambda: F.linear(x, w), "backward_input": lambda: dout @ w, "backward_weight": lambda: dout.t() @ x}[which])


def grouped_linear(which, experts, m, o, i, dtype):
    if dtype != "bf16":
        return {}
    x, w, dout = randn(m, i, dtype=dtype), randn(experts, o, i, dtype=dtype), randn(m, o, dtype=dtype)
    ends = [e * m // experts for e in range(1, experts + 1)]
    offs = torch.tensor(ends, device="cuda", dtype=torch.int32)
    grouped = getattr(F, "grouped_mm", None) or torch._grouped_mm
    return timed(
        "grouped_mm",
        {
            "forward": lambda: grouped(x, w.transpose(1, 2), offs=offs),
            "backward_input": lambda: grouped(dout, w, offs=offs),
            "backward_weight": lambda: grouped(dout.t(), x, offs=offs),
        }[which],
    )


def rmsnorm(direction, n, c, dtype):
    x, w = randn(n, c, dtype=dtype, grad=True), randn(c, dtype=dtype, grad=True)
    run = lambda: F.rms_norm(x, (c,), w, 1e-6)
    return timed("rms_norm", run if direction == "forward" else backward_of(run(), (x, w)))


def swiglu(direction, n, f, dtype):
    x = randn(n, 2 * f, dtype=dtype, grad=True)
    run = lambda: F.silu(x[:, :f]) * x[:, f:]
    return timed("silu and product", run if direction == "forward" else backward_of(run(), (x,)))


def residual_add(n, c, dtype):
    x, y = randn(n, c, dtype=dtype), randn(n, c, dtype=dtype)
    return timed("add_", lambda: x.add_(y))


def embedding_forward(n, c, dtype):
    table, ids = randn(102400, c, dtype=dtype), torch.randint(0, 102400, (n,), device="cuda")
    return timed("embedding", lambda: F.embedding(ids, table))


def cross_entropy(n, v, dtype):
    logits, targets = randn(n, v, grad=True), torch.randint(0, v, (n,), device="cuda")

    def both():
        loss = F.cross_entropy(logits, targets, reduction="sum")
        torch.autograd.grad(loss, logits)

    return timed("cross_entropy", both) if dtype == "f32" else {}


def router_forward(n, e, k):
    logits = randn(n, e)
    return timed("softmax and topk", lambda: logits.softmax(-1).topk(k))


def permute(n, c, k, dtype):
    x, rows = randn(n, c, dtype=dtype), torch.randint(0, n, (n * k,), device="cuda")
    return timed("index_select", lambda: x.index_select(0, rows))


def adamw(millions, dtype):
    w = randn(millions << 20, dtype=dtype, grad=True)
    w.grad = torch.randn_like(w)
    optimizer = torch.optim.AdamW([w], fused=True)
    return timed("fused AdamW", optimizer.step)


def sum_squares(millions):
    x = randn(millions << 20)
    return timed("vector_norm", lambda: torch.linalg.vector_norm(x))


def greedy(n, v):
    logits = randn(n, v)
    return timed("argmax", lambda: logits.argmax(-1))


def numbers(*groups):
    return [int(g) if g.isdigit() else g for g in groups]


OPERATORS = (
    (r"attention_(forward|backward) (\d+)x(\d+) H(\d+) (\d+)\+(\d+)/(\d+) (\w+)", attention),
    (r"attention_(forward|backward) (\d+)x(\d+) H(\d+) G(\d+) (\d+)/(\d+) (\w+)", grouped_attention),
    (r"paged_attention (\d+)x(\d+) H(\d+) G(\d+) (\d+)/(\d+) (\w+)", paged_attention),
    (r"attention_forward (\d+) after (\d+) H(\d+) (\d+)\+(\d+)/(\d+) (\w+)", prefix_attention),
    (r"latent_attention (\d+)x(\d+) H(\d+) 512\+64 bf16", latent_attention),
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


def peer_times(name):
    for pattern, run in OPERATORS:
        if match := re.fullmatch(pattern, name):
            try:
                return run(*numbers(*match.groups()))
            finally:
                torch.cuda.empty_cache()
    return {}


def columns(times, ours):
    (peer, best), *others = sorted(times.items(), key=lambda item: item[1])
    return f"{best:>10.3f} {best / ours:>9.2f}x  " + ", ".join(
        [peer, *(f"{other} {time:.3f} ({time / ours:.2f}x)" for other, time in others)]
    )


def main():
    warnings.filterwarnings("ignore")  # each attention backend says why it is not another
    for line in sys.stdin:
        line = line.rstrip("\n")
        row = re.match(r"(\w+ .*?)\s{2,}(\d+\.\d+)", line)
        if line.startswith("op, shape"):
            line = f"{line:<104} {'peer ms':>10} {'fathom is':>10}  peer"
        elif row and (times := peer_times(row[1])):
            line = f"{line:<104} {columns(times, float(row[2]))}"
        print(line, flush=True)
    print(f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {torch.cuda.get_device_name()}")
    if "FATHOM_FLASHMLA" not in os.environ:
        print("latent attention has no peer, as FATHOM_FLASHMLA is not set")


if __name__ == "__main__":
    main()
