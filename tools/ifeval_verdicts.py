#!/usr/bin/env python3
"""Verdicts of IFEval's own program on answers of models, for the test that compares ours with them.

usage: ifeval_verdicts.py UPSTREAM ANSWERS.jsonl [...] > verdicts.jsonl

UPSTREAM is a checkout of josejg/instruction_following_eval; ANSWERS have the field `response`, a line for each row of
its input_data.jsonl in that order. Needs nltk with the data punkt_tab, langdetect, immutabledict and absl-py.
"""

import importlib
import json
import sys
import types
from pathlib import Path


def load_upstream(folder):
    # As a bare package, without the command line that its __init__ asks for.
    package = types.ModuleType("instruction_following_eval")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    registry = importlib.import_module("instruction_following_eval.instructions_registry")
    util = importlib.import_module("instruction_following_eval.instructions_util")
    # Its pickle of the sentence tokenizer is what nltk no longer loads.
    from nltk.tokenize import PunktTokenizer

    tokenizer = PunktTokenizer("english")
    util._get_sentence_tokenizer = lambda: tokenizer
    return registry.INSTRUCTION_DICT


def forms(response):
    lines = response.split("\n")
    parts = [response] + ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    return parts + [part.replace("*", "") for part in parts]


def followed(kinds, row, responses):
    verdicts = []
    for name, arguments in zip(row["instruction_id_list"], row["kwargs"]):
        instruction = kinds[name](name)
        instruction.build_description(**{key: value for key, value in arguments.items() if value is not None})
        verdicts.append(any(bool(text.strip() and instruction.check_following(text)) for text in responses))
    return verdicts


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder = Path(sys.argv[1]) / "instruction_following_eval"
    kinds = load_upstream(folder)
    import langdetect

    langdetect.DetectorFactory.seed = 0  # else it draws other numbers each time
    rows = [json.loads(line) for line in open(folder / "data/input_data.jsonl", encoding="utf-8")]
    for path in sys.argv[2:]:
        answers = [json.loads(line)["response"] for line in open(path, encoding="utf-8")]
        if len(answers) != len(rows):
            sys.exit(f"{path}: {len(answers)} answers for {len(rows)} rows")
        for row, response in zip(rows, answers):
            strict, loose = followed(kinds, row, [response]), followed(kinds, row, forms(response))
            print(json.dumps({**row, "response": response, "strict": strict, "loose": loose}))


if __name__ == "__main__":
    main()
