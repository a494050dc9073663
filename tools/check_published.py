#!/usr/bin/env python3
"""Scores answers that upstream published, and compares with upstream's own verdicts and prompts.

  check_published.py --fathom PROGRAM --upstream DIR

DIR holds repositories as they are cloned: BIG-Bench-Hard (suzgunmirac), with the answers of code-davinci-002 and the accuracy
of each task; cruxeval (facebookresearch), with the verdicts of ten answers of CodeLlama 7B to each item, of which the first
ones are taken; AGIEval (ruixiangcui), whose own program judges answers that are made up here and writes the prompts; and
allennlp-reading-comprehension (allenai), whose evaluator of DROP judges made-up answers too. The answers become records, and
fathom eval --rescore scores those. Needs numpy and scipy.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path


def write_records(path, answers):
    """answers: (id of the item, output)"""
    with open(path, "w", encoding="utf-8") as file:
        for item, output in answers:
            file.write(json.dumps({"id": item, "prompt_hash": "", "prompts": [""], "prompt_tokens": 0,
                                   "samples": [{"output": output, "tokens": 1, "finish": "stop"}]}) + "\n")


def fathom(args, data, *more):
    command = [args.fathom, "eval", "--data", data, *more]
    run = subprocess.run([str(part) for part in command], capture_output=True)
    if run.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {run.stderr.decode().strip()}")
    return run.stdout.decode()


def rescored(args, data, out, task, answers, *more):
    write_records(out / f"{task}.jsonl", answers)
    (result,) = json.loads(fathom(args, data, "--task", task, "--out", out, "--rescore", "--json", *more))
    return result, [json.loads(line) for line in open(out / f"{task}.jsonl", encoding="utf-8")]


def check_bbh(args, data, out):
    folder = Path(args.upstream) / "BIG-Bench-Hard/code-davinci-002-outputs/code-davinci-002-cot"
    ending = "_few_shot_template_0-255000"
    outputs = {path.name.removesuffix(ending + ".json"): json.loads(path.read_text())["outputs"]
               for path in sorted(folder.glob(f"*{ending}.json"))}
    answers = [(f"{task}:{i}", row["prediction"]) for task, rows in outputs.items() for i, row in enumerate(rows)]
    result, _ = rescored(args, data, out, "bbh", answers)
    ours = {a["over"]: 100 * a["value"] for a in result["averages"]}
    faults = []
    for task, rows in outputs.items():
        theirs = json.loads((folder / f"{task}{ending}_eval_metrics.jsonl").read_text())["accuracy"]
        if abs(ours[f"subject {task}"] - theirs) > 1e-9:
            faults.append(f"{task}: accuracy {ours[f'subject {task}']} and {theirs}")
        for i in (0, len(rows) - 1):
            shown = fathom(args, data, "--task", "bbh", "--show-prompt", "--item", f"{task}:{i}")
            if shown.split("--- prompt\n", 1)[1].rsplit("\n---\n", 1)[0] != rows[i]["input"]:
                faults.append(f"{task}:{i}: another prompt")
    print(f"bbh: {len(answers)} answers, accuracy of {len(outputs)} tasks, {2 * len(outputs)} prompts")
    return faults


def check_cruxeval(args, data, out):
    folder = Path(args.upstream) / "cruxeval"
    rows = [json.loads(line) for line in open(folder / "data/cruxeval.jsonl", encoding="utf-8")]
    faults = []
    for kind in ("input", "output"):
        scored = json.loads((folder / f"samples/evaluation_results/sample_scored_codellama-7b_temp0.2_{kind}.json").read_text())
        written = [scored["raw_generations"][row["id"]][0] for row in rows]
        verdicts = [scored["raw_scored_generations"][row["id"]][0] for row in rows]
        if kind == "input":
            direct = [f"{text.removeprefix('f(')} == {row['output']}" for text, row in zip(written, rows)]
            asserted = [f"{text} == {row['output']}" for text, row in zip(written, rows)]
        else:
            direct = written
            asserted = [f"f({row['input']}) == {text}" for text, row in zip(written, rows)]
        forms = {f"cruxeval_{kind[0]}": direct,
                 f"cruxeval_{kind[0]}_cot": [f"So.\n[/THOUGHT]\n[ANSWER]\nassert {text}\n" for text in asserted]}
        for task, outputs in forms.items():
            _, records = rescored(args, data, out, task, list(zip([row["id"] for row in rows], outputs)))
            differ = [i for i, record in enumerate(records) if (record["scores"]["value"] == 1) != verdicts[i]]
            print(f"{task}: {len(records)} answers, {len(records) - len(differ)} verdicts the same")
            # What is no literal is run by upstream alone.
            faults += [f"{task}, {rows[i]['id']}: {written[i]}" for i in differ if not verdicts[i] or "lambda" not in written[i]]
    return faults


def agieval_program(folder):
    """AGIEval's modules, without the packages that they need for their few-shot prompts alone."""
    import types

    for name in ("pandas", "tiktoken", "tqdm"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["tiktoken"].get_encoding = sys.modules["tiktoken"].encoding_for_model = sys.modules["tqdm"].tqdm = lambda name: None
    sys.path.insert(0, str(folder))
    from src import dataset_loader, evaluation, post_process

    return dataset_loader, evaluation, post_process


def made_up_answer(draw, row):
    """Of the kinds that models write: right ones and others, with words around them."""
    letters = (row["label"] if isinstance(row["label"], list) else [row["label"]]) or ["B"]  # one row has no right answer
    right = "".join(letters) if row["label"] is not None else draw.choice([row["answer"], f"${row['answer']}$", "$x = " + row["answer"] + "$"])
    text = draw.choice([right, right, draw.choice("ABCDE"), "(A)(C)", "12", "\\boxed{" + right + "}", "none of them"])
    return draw.choice(["", " ", " (", "Because of this ", "It must be "]) + text + draw.choice(["", ".", ")", " = 3", " as Bob said"])


def check_agieval(args, data, out):
    folder = Path(args.upstream) / "AGIEval"
    loader, evaluation, post_process = agieval_program(folder)
    draw, answers, verdicts, faults = random.Random(1), [], [], []
    for path in sorted((folder / "data/v1").glob("*.jsonl"), key=lambda path: path.stem):
        name = path.stem
        rows = [json.loads(line) for line in open(path, encoding="utf-8")]
        for i in (0, 1, len(rows) - 1):
            shown = fathom(args, data, "--task", "agieval", "--show-prompt", "--item", f"{name}:{i}")
            if shown.split("--- prompt\n", 1)[1].rsplit("\n---\n", 1)[0] != loader.convert_zero_shot(rows[i], name):
                faults.append(f"{name}:{i}: another prompt")
        for i, row in enumerate(rows):
            answers.append((f"{name}:{i}", made_up_answer(draw, row)))
            found = post_process.post_process(name, "zero-shot", answers[-1][1])
            gold = row["label"] if row["label"] is not None else row["answer"]
            verdicts.append(bool(evaluation.evaluate_single_sample(name, found, gold)))
    _, records = rescored(args, data, out, "agieval", answers)
    faults += [f"{record['id']}: {output!r}" for record, (_, output), verdict in zip(records, answers, verdicts)
               if (record["scores"]["strict"] == 1) != verdict]
    print(f"agieval: {len(answers)} answers, of which {sum(verdicts)} are right")
    return faults


def check_drop(args, data, out):
    source = (Path(args.upstream) / "allennlp-reading-comprehension/allennlp_rc/eval/drop_eval.py").read_text()
    upstream = {}
    exec(compile(source, "drop_eval.py", "exec"), upstream)
    draw = random.Random(2)
    words = ["the", "a", "An", "cat", "dog", "12", "12.0", "$5", "1,200", "td", "yard", "Émile", "1e3", "nan", "-", "--", " ", "'s",
             "–a–", "x_y", "1_0", ".5", "+7", "%", "(b)", "US$", "½"]

    def span():
        return "".join(draw.choice(words) + draw.choice([" ", "-", "", " ", ","]) for _ in range(draw.randint(1, 6)))

    def answer():
        spans = [span() for _ in range(draw.choice([1, 1, 1, 2, 4]))]
        kind = draw.randrange(4)
        return {"number": str(draw.randint(0, 99)) if kind == 0 else "", "spans": spans if kind > 1 else [],
                "date": {"day": "3", "month": "May", "year": ""} if kind == 1 else {}}

    pairs, answers, theirs = [], [], []
    for i in range(2000):
        pair = {"question": f"Question {i}", "query_id": str(i), "answer": answer(), "validated_answers": [answer() for _ in range(i % 3)]}
        gold = [upstream["answer_json_to_strings"](a)[0] for a in [pair["answer"], *pair["validated_answers"]]]
        gold = [spans for spans in gold if spans[0].strip()]
        if not gold:
            continue
        text = draw.choice([span(), draw.choice(draw.choice(gold)), "3 may", "5"])
        scores = [upstream["get_metrics"](text, spans) for spans in gold]
        pairs.append(pair)
        answers.append((str(i), text))
        theirs.append(tuple(max(score[part] for score in scores) for part in (1, 0)))
    (data / "drop").mkdir()
    (data / "drop/drop_dataset_dev.json").write_text(json.dumps({"p": {"passage": "A passage.", "qa_pairs": pairs}}))
    _, records = rescored(args, data, out, "drop", answers, "--shots", "0")
    print(f"drop: {len(answers)} answers, {sum(f1 > 0 for f1, _ in theirs)} with words in common, {sum(exact for _, exact in theirs):.0f} right")
    return [f"drop, {output!r}: {record['scores']} and {score}" for record, (_, output), score in zip(records, answers, theirs)
            if abs(record["scores"]["f1_strict"] - score[0]) > 1e-9 or record["scores"]["exact_strict"] != score[1]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fathom", required=True)
    parser.add_argument("--upstream", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data, out = Path(temporary) / "data", Path(temporary) / "out"
        data.mkdir()
        out.mkdir()
        (data / "bbh").symlink_to(Path(args.upstream).resolve() / "BIG-Bench-Hard")
        (data / "cruxeval").symlink_to(Path(args.upstream).resolve() / "cruxeval")
        (data / "agieval").symlink_to(Path(args.upstream).resolve() / "AGIEval")
        faults = check_bbh(args, data, out) + check_cruxeval(args, data, out) + check_agieval(args, data, out) + check_drop(args, data, out)
    for fault in faults:
        print(f"  {fault}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
