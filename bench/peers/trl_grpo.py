"""GRPO steps by TRL on transformers: the peer of bench/grpo.py. Prints one JSON line: seconds of each step.

  trl_grpo.py MODEL QUESTIONS.jsonl --steps N --per-step Q --group G --tokens T --threads N --pattern P
"""

import argparse
import json
import re
import tempfile
import time

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("questions")
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--per-step", type=int, default=4)
parser.add_argument("--group", type=int, default=16)
parser.add_argument("--tokens", type=int, default=64)
parser.add_argument("--beta", type=float, default=0.0)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--pattern", default=".*", help="1 for a whole answer that has this form, else 0")
args = parser.parse_args()

torch.set_num_threads(args.threads)
config = json.load(open(f"{args.model}/tokenizer_config.json"))
tokenizer = PreTrainedTokenizerFast(
    tokenizer_file=f"{args.model}/tokenizer.json", bos_token=config["bos_token"], eos_token=config["eos_token"], pad_token=config["eos_token"]
)
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
rows = [json.loads(line) for line in open(args.questions)]
questions = [row["messages"][-1]["content"] if "messages" in row else row["question"] for row in rows]
prompts = [f"{config['bos_token']}User: {question}\n\nAssistant:" for question in questions]


class Clock(TrainerCallback):
    def __init__(self):
        self.seconds = []

    def on_step_begin(self, *_, **__):
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.start)


def ends(completions, **_):
    return [float(re.fullmatch(args.pattern, text) is not None) for text in completions]


clock, lengths = Clock(), []
last = time.perf_counter()
settings = GRPOConfig(
    output_dir=tempfile.mkdtemp(), max_steps=args.steps, per_device_train_batch_size=args.per_step * args.group, num_generations=args.group,
    max_completion_length=args.tokens, temperature=1.0, beta=args.beta, learning_rate=1e-5, lr_scheduler_type="constant", loss_type="grpo",
    use_cpu=True, report_to=[], save_strategy="no", logging_steps=1, bf16=False, gradient_checkpointing=False, disable_tqdm=True,
)  # fmt: skip
trainer = GRPOTrainer(model=model, reward_funcs=ends, args=settings, train_dataset=Dataset.from_dict({"prompt": prompts}), processing_class=tokenizer, callbacks=[clock])
begin = time.perf_counter()
trainer.train()
logs = [log for log in trainer.state.log_history if "completions/mean_length" in log]
step_times = [log.get("step_time") for log in logs]
print(json.dumps({"seconds": time.perf_counter() - begin, "step_time": step_times, "length": [log["completions/mean_length"] for log in logs]}))
