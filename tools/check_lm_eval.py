#!/usr/bin/env python3
"""Compares fathom's evaluation with lm-evaluation-harness on transformers, item by item, on the same model and files.

  check_lm_eval.py --fathom PROGRAM --data DIR [--model MODEL_DIR] [--limit N] [--tasks mmlu,...]

DIR holds the data sets' files as upstream has them. Without --model a small random DeepSeek-V2 is made, with a tokenizer
trained on data/kjv.jsonl.zst; of one with a short context a copy with a longer one is asked. The harness reads the same
rows; its tasks are those that it ships, but for where the rows come from, and with the first rows as examples where it
would draw them; fathom takes the first ones too. Of every item the prompts must be the same, and the log-probability of
every answer must agree to --tolerance, or the generated text must be the same; the scores must be equal. The times are
those of fathom's whole command, with loading and intervals, and of the harness's requests alone.
"""

import argparse
import csv
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"

ROOT = Path(__file__).resolve().parent.parent
LETTERS = ["A", "B", "C", "D"]
CONTEXT = 4096


def csv_rows(path, names=None):
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    if names is None:
        return [dict(zip(rows[0], row)) for row in rows[1:]]
    return [dict(zip(names, row)) for row in rows if row[0] != names[0]]


def json_rows(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def one(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def mmlu(data, subject):
    def rows(split):
        read = csv_rows(data / f"mmlu/{split}/{subject}_{split}.csv", ["question", *LETTERS, "answer"])
        return [{"question": r["question"], "choices": [r[c] for c in LETTERS],
                 "answer": LETTERS.index(r["answer"]) if r["answer"] in LETTERS else int(r["answer"])} for r in read]

    return rows("test"), rows("dev"), {
        "doc_to_text": "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:",
        "doc_to_choice": LETTERS, "doc_to_target": "answer",
        "description": "The following are multiple choice questions (with answers) about "
                       + subject.replace("_", " ") + ".\n\n"}


def cmmlu(data, subject):
    yaml = Path(sys.modules["lm_eval"].__file__).parent / f"tasks/cmmlu/cmmlu_{subject}.yaml"
    description = json.loads(re.search(r'"description": (".*")', yaml.read_text())[1])
    return csv_rows(data / f"cmmlu/test/{subject}.csv"), csv_rows(data / f"cmmlu/dev/{subject}.csv"), {
        "doc_to_text": "{{Question.strip()}}\nA. {{A}}\nB. {{B}}\nC. {{C}}\nD. {{D}}\n答案：",
        "doc_to_choice": LETTERS, "doc_to_target": "{{['A', 'B', 'C', 'D'].index(Answer)}}", "description": description}


def arc(data, name):
    rows = json_rows(one(data, f"arc/{name}*.jsonl"))
    return rows, rows, {
        "doc_to_text": "{{query}}\nAnswer:", "doc_to_choice": "{{choices}}", "doc_to_target": "gold"}


def hellaswag(data, _):
    lines = one(data, "hellaswag/hellaswag_val*.txt").read_text().splitlines()
    rows = [{"query": lines[i], "label": int(lines[i + 1]), "choices": lines[i + 2:i + 6]} for i in range(0, len(lines), 6)]
    return rows, rows, {"doc_to_text": "{{query}}", "doc_to_choice": "{{choices}}", "doc_to_target": "label"}


def hellaswag_json(data, _):
    """The same in the form of rowanz/hellaswag, with marks in brackets as its pages of WikiHow have."""
    from lm_eval.tasks.hellaswag import utils

    rows = []
    for i, row in enumerate(hellaswag(data, "")[0]):
        label, context = row["query"].split(": ", 1)
        context, _, last = context.rpartition(" ") if i % 2 else (f"[header] {label} [title] {context}", "", "")
        endings = [f"[substeps] {text}  [step] Then [stop] ." if (i + j) % 3 == 0 else text for j, text in enumerate(row["choices"])]
        rows.append({"ind": i, "activity_label": label, "ctx_a": context, "ctx_b": last, "endings": endings, "label": row["label"]})
    return rows, rows, {"process_docs": utils.process_docs, "doc_to_text": "{{query}}", "doc_to_choice": "{{choices}}",
                        "doc_to_target": "{{gold}}"}


def winogrande(data, _):
    # The examples are from the other half: fathom takes no row that asks the same as the item, a twin with the other answer.
    rows = json_rows(one(data, "winogrande/winogrande*.jsonl"))
    half = len(rows) // 4 * 2
    return rows[:half], rows[half:], {
        "doc_to_text": "gold", "doc_to_choice": "{{context_options}}", "doc_to_target": "continuation"}


def gsm8k(data, _):
    return json_rows(one(data, "gsm8k/test*.jsonl")), json_rows(one(data, "gsm8k/train*.jsonl")), {
        "doc_to_text": "Question: {{question}}\nAnswer:", "doc_to_target": "{{answer}}", "output_type": "generate_until",
        "generation_kwargs": {"until": ["Question:", "\n\n\n"], "do_sample": False, "max_gen_toks": 64},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True,
                         "regexes_to_ignore": [",", r"\$", "(?s).*#### ", r"\.$"]}],
        "filter_list": [{"name": "strict-match", "filter": [
            {"function": "regex", "regex_pattern": r"#### (\-?[0-9\.\,]+)"}, {"function": "take_first"}]}]}


ACC = {"sum": "acc"}
NORM = {"sum": "acc", "chars": "acc_norm"}
# task, rows of the harness, subject, examples, metrics: ours and the harness's
TASKS = [
    ("mmlu", mmlu, "abstract_algebra", 5, ACC),
    ("cmmlu", cmmlu, "ancient_chinese", 5, ACC),
    ("arc_easy", arc, "arc_easy", 0, NORM),
    ("arc_easy", arc, "arc_easy", 5, NORM),
    ("arc_challenge", arc, "arc_challenge", 0, NORM),
    ("arc_challenge", arc, "arc_challenge", 5, NORM),
    ("hellaswag_lines", hellaswag, "", 0, NORM),
    ("hellaswag_lines", hellaswag, "", 3, NORM),
    ("hellaswag", hellaswag_json, "", 3, NORM),
    ("winogrande", winogrande, "", 0, ACC),
    ("winogrande", winogrande, "", 5, ACC),
    ("gsm8k", gsm8k, "", 5, {"strict": "exact_match"}),
]


def make_model(folder, fathom):
    """A random model that is not sure of anything, so that answers differ by little."""
    import torch
    from transformers import DeepseekV2Config, DeepseekV2ForCausalLM

    subprocess.run([fathom, "train-tokenizer", ROOT / "data/kjv.jsonl.zst", "--vocab-size", "1024", "--out", folder],
                   check=True, capture_output=True)
    torch.manual_seed(1)
    config = DeepseekV2Config(
        vocab_size=1024, hidden_size=64, intermediate_size=128, moe_intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, n_shared_experts=1, n_routed_experts=4, num_experts_per_tok=2,
        q_lora_rank=32, kv_lora_rank=32, qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=16, n_group=1, topk_group=1,
        topk_method="greedy", routed_scaling_factor=1.0, first_k_dense_replace=1, max_position_embeddings=CONTEXT,
        initializer_range=0.08, bos_token_id=1022, eos_token_id=1023, attention_bias=False, norm_topk_prob=False)
    DeepseekV2ForCausalLM(config).save_pretrained(folder)


def with_context(model, folder):
    """The model, or a copy whose positions reach further, so that neither side cuts prompts."""
    config = json.loads((Path(model) / "config.json").read_text())
    if config["max_position_embeddings"] >= CONTEXT or config.get("rope_scaling"):
        return model
    folder.mkdir()
    for path in Path(model).resolve().iterdir():
        if path.name != "config.json":
            (folder / path.name).symlink_to(path)
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": CONTEXT}))
    return str(folder)


def harness_task(name, folder, rows, shots, count, settings):
    own = shots is rows  # where the item that is asked is left out
    files = {"test": rows, **({} if own else {"shots": shots})}
    paths = {}
    for split, content in files.items():
        paths[split] = str(folder / f"{name}.{split}.jsonl")
        Path(paths[split]).write_text("".join(json.dumps(row) + "\n" for row in content))
    task = {"task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": paths}, "test_split": "test",
            "output_type": "multiple_choice", "num_fewshot": count,
            "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("acc", "acc_norm")],
            **settings}
    if count:
        task |= {"fewshot_config": {"split": "test" if own else "shots", "sampler": "first_n"}}
    return task


def run_fathom(args, name, subject, count, out, data):
    source = (ROOT / f"tasks/{name}.toml").read_text()
    if subject and name in ("mmlu", "cmmlu"):  # one subject
        source = re.sub(r"subjects = \[.*?\]", f'subjects = ["{subject}"]', source, count=1, flags=re.S)
        source = source.split("[categories]")[0]
    source = source.replace("max_tokens = 512", "max_tokens = 64").replace('choice = "random"', 'choice = "first"')
    if name == "hellaswag_lines":
        source = source.replace("[data]", "[data]\nshots = " + re.search("items = (.*)", source)[1])
    (out / f"{name}.toml").write_text(source)
    start = time.time()
    run = subprocess.run([args.fathom, "eval", args.model, "--task", out / f"{name}.toml", "--data", data, "--dtype", "f32",
                          "--shots", str(count), "--limit", str(args.limit), "--out", out / f"records{count}"],
                         capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{name}: {run.stderr.strip()}")
    seconds = time.time() - start
    records = [json.loads(line) for line in open(out / f"records{count}/{name}.jsonl", encoding="utf-8")]
    result = json.loads((out / f"records{count}/{name}.result.json").read_text())
    return records, {a["metric"]: a["value"] for a in result["averages"] if a["over"] == "items"}, seconds


def compare_item(record, sample, tolerance, faults):
    """The largest difference of a log-probability, or whether the text is the same, behind the same prompts."""
    asked = list(dict.fromkeys(arguments[0] for arguments in sample["arguments"]))
    if record["prompts"] != asked:
        faults.append(f"item {record['id']}: {record['prompts']} and {asked}")
    if "samples" in record:
        ours, theirs = record["samples"][0]["output"], sample["resps"][0][0]
        if ours != theirs:
            faults.append(f"item {record['id']}: {ours!r} and {theirs!r}")
        return 0.0
    theirs = [float(response[0][0]) for response in sample["resps"]]
    ours = [option["sum"] for option in record["options"]]
    worst = max(abs(a - b) for a, b in zip(ours, theirs))
    if len(ours) != len(theirs) or worst > tolerance:
        faults.append(f"item {record['id']}: {ours} and {theirs}")
    return worst


class Clock:
    """Adds up the time that the harness's model takes for its requests: not what comes before and after."""

    def __init__(self, lm):
        self.seconds = 0.0
        for name in ("loglikelihood", "generate_until"):
            setattr(lm, name, self.timed(getattr(lm, name)))

    def timed(self, function):
        def run(*args, **kwargs):
            start = time.time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.time() - start
        return run


def compare(args, entry, lm, clock, folder):
    import lm_eval

    name, maker, subject, count, metrics = entry
    rows, shots, settings = maker(Path(args.data), subject)
    task = harness_task(name, folder, rows, shots, count, settings)
    data = Path(args.data)
    made = {"hellaswag": ("hellaswag_val", "hellaswag_train"), "winogrande": ("dev", "train_xl")}.get(name)
    if made:  # rows that stand in no file
        data = folder / "data"
        (data / name).mkdir(parents=True, exist_ok=True)
        for split, some in zip(made, (rows, shots)):
            (data / name / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    records, ours, seconds = run_fathom(args, name, subject, count, folder, data)
    before = clock.seconds
    result = lm_eval.simple_evaluate(lm, tasks=[task], limit=args.limit, bootstrap_iters=0)
    peer_seconds = clock.seconds - before
    samples = sorted(result["samples"][name], key=lambda s: s["doc_id"])
    faults = []
    if len(samples) != len(records):
        faults.append(f"{len(records)} and {len(samples)} items")
    worst = max(compare_item(r, s, args.tolerance, faults) for r, s in zip(records, samples))
    line = f"{name:<16} {len(records):>4} items, {count} examples, largest difference {worst:.1e}"
    for metric, peer in metrics.items():
        theirs = next(v for k, v in result["results"][name].items() if k.split(",")[0] == peer)
        line += f", {metric} {100 * ours[metric]:.2f} {peer} {100 * theirs:.2f}"
        if not math.isclose(ours[metric], theirs, abs_tol=1e-9):
            faults.append(f"{metric} is {ours[metric]}, {peer} {theirs}")
    print(line + f", {seconds:.1f} s and {peer_seconds:.1f} s ({peer_seconds / seconds:.1f}x)", flush=True)
    for fault in faults[:5]:
        print(f"  {name}: {fault[:400]}")
    return not faults


def answers_to(row, i):
    """Worked answers in the forms that models give them, of which some are right."""
    gold = row["answer"].split("#### ")[1]
    number = int(gold.replace(",", ""))
    return [f" So it is {gold}.\n#### {gold}", f" #### {gold}.", f" #### ${gold}", f" #### {number:,} dollars", f" #### {number + 1}",
            f" The answer is {gold}.", f" #### {number}\n#### {number + 1}", f" ####{gold}", "", f" #### -{number}"][i % 10]


def compare_scorers(args, folder):
    """The same texts scored by both: fathom by --rescore of changed records, the harness by a model that says them."""
    import lm_eval
    from lm_eval.api.model import LM

    class Speaker(LM):
        def generate_until(self, requests):
            return [outputs[r.doc_id] for r in requests]

        loglikelihood = loglikelihood_rolling = None

    _, maker, subject, count, _ = TASKS[-1]
    rows, shots, settings = maker(Path(args.data), subject)
    outputs = [answers_to(row, i) for i, row in enumerate(rows[:args.limit])]
    path = folder / f"records{count}/gsm8k.jsonl"
    records = [json.loads(line) for line in open(path, encoding="utf-8")]
    for record, output in zip(records, outputs):
        record["samples"][0]["output"] = output
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    subprocess.run([args.fathom, "eval", "--task", folder / "gsm8k.toml", "--data", args.data, "--shots", str(count),
                    "--limit", str(args.limit), "--out", folder / f"records{count}", "--rescore"], check=True, capture_output=True)
    records = [json.loads(line) for line in open(path, encoding="utf-8")]
    task = harness_task("gsm8k", folder, rows, shots, count, settings)
    samples = sorted(lm_eval.simple_evaluate(Speaker(), tasks=[task], limit=args.limit, bootstrap_iters=0)["samples"]["gsm8k"],
                     key=lambda s: s["doc_id"])
    ours, theirs = [r["scores"]["strict"] for r in records], [s["exact_match"] for s in samples]
    # The harness takes a full stop off, the data set's own rule does not.
    stops = [re.fullmatch(r"(?s).*#### [0-9.,]*\.", output) is not None for output in outputs]
    print(f"gsm8k's scorer    {len(ours):>4} written answers, {sum(ours):.0f} and {sum(theirs):.0f} right, {sum(stops)} with a full stop")
    faults = [i for i, stop in enumerate(stops) if ours[i] != (0 if stop else theirs[i])]
    for i in faults:
        print(f"  {outputs[i]!r}: {ours[i]} and {theirs[i]}")
    return not faults and 0 < sum(ours) < len(ours)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fathom", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model")
    parser.add_argument("--limit", type=int, default=24)
    parser.add_argument("--tasks", default=",".join(dict.fromkeys(entry[0] for entry in TASKS)))
    parser.add_argument("--tolerance", type=float, default=2e-4)
    args = parser.parse_args()
    import lm_eval  # noqa: F401
    from lm_eval.models.huggingface import HFLM

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not args.model:
            args.model = str(folder / "model")
            make_model(folder / "model", args.fathom)
        args.model = with_context(args.model, folder / "longer")
        lm = HFLM(args.model, device="cpu", dtype="float32", batch_size=4, max_length=CONTEXT)
        clock = Clock(lm)
        names = args.tasks.split(",")
        held = [compare(args, entry, lm, clock, folder) for entry in TASKS if entry[0] in names]
        if "gsm8k" in names:
            held.append(compare_scorers(args, folder))
    sys.exit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
