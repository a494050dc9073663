#!/usr/bin/env python3
"""A small task of reasoning, from pretraining text to preferences: sums such as 7+5-3, worked out step by step.

    tools/reasoning_corpus.py --out out/alignment/data

writes into that folder, the same files for the same seed:

    text.jsonl                   documents of worked sums, for `fathom prepare`
    chat.jsonl                   conversations, for `fathom sft`: most answers are given at once, some are worked out, of which a few
                                 have a wrong step
    questions.jsonl, held_out.jsonl            questions with their `answer`, for `fathom grpo`
    preferences.jsonl, preferences_held_out.jsonl   a right answer, worked out, against one that is wrong or not worked out, for
                                 `fathom reward` and `fathom dpo`

No question of a held-out file stands anywhere else, not even as the beginning of a longer sum.
"""

import argparse
import json
import os
import random
import sys
from pathlib import Path

DIGITS = range(1, 10)


class Sums:
    """Sums of random length whose totals stay between 0 and a largest one. A sum is its numbers, of which later ones may be below 0."""

    def __init__(self, rng, shortest, longest, largest):
        self.rng, self.shortest, self.longest, self.largest = rng, shortest, longest, largest
        self.held_out = set()

    def any(self):
        total, numbers = 0, []
        for _ in range(self.rng.randint(self.shortest, self.longest)):
            fitting = [s * d for d in DIGITS for s in ((1, -1) if numbers else (1,)) if 0 <= total + s * d <= self.largest]
            numbers.append(self.rng.choice(fitting))
            total += numbers[-1]
        return tuple(numbers)

    def hold_out(self, count):
        while len(self.held_out) < count:
            self.held_out.add(self.any())
        return sorted(self.held_out, key=lambda _: self.rng.random())

    def known(self):
        """One of which no beginning is held out."""
        while True:
            numbers = self.any()
            if not any(numbers[:n] in self.held_out for n in range(self.shortest, len(numbers) + 1)):
                return numbers


def written(numbers):
    return "".join(str(n) if i == 0 else f"{n:+d}" for i, n in enumerate(numbers))


def worked_out(numbers, errors=()):
    """7+5-3=12-3=9: the first two numbers become one until one is left. A step of `errors` is wrong by that much, and the others
    follow it. The text, and the total that it comes to."""
    parts, rest = [written(numbers)], list(numbers)
    for step in range(len(numbers) - 1):
        rest[:2] = [rest[0] + rest[1] + dict(errors).get(step, 0)]
        parts.append(written(rest))
    return "=".join(parts), rest[0]


def wrong_step(rng, numbers):
    """An error that leaves no total below 0."""
    place = rng.randrange(len(numbers) - 1)
    lowest = min(sum(numbers[: n + 1]) for n in range(place + 1, len(numbers)))
    return ((place, rng.choice([e for e in (-3, -2, -1, 1, 2, 3) if lowest + e >= 0])),)


def question(numbers):
    return f"What is {written(numbers)}?"


def answer(total, before=""):
    return f"{before}The answer is {total}."


def with_steps(numbers, errors=()):
    text, total = worked_out(numbers, errors)
    return answer(total, f"{text}. ")


# Between a sum and its steps stands now this, now that: the model must look for what it copies, and cannot count on a distance.
FORMS = ("What is {asked}? {steps}.", "{asked} is {steps}.", "Question: {asked}\n\nAnswer: {steps}.", "What is {asked}?\n\n{steps}.")


def document(sums, rng):
    chosen = [(rng.choice(FORMS), sums.known()) for _ in range(rng.randint(2, 5))]
    return {"text": "\n".join(form.format(asked=written(n), steps=worked_out(n)[0]) for form, n in chosen)}


def conversation(sums, rng, direct, wrong):
    numbers = sums.known()
    if rng.random() < direct:
        text = answer(sum(numbers))
    else:
        text = with_steps(numbers, wrong_step(rng, numbers) if rng.random() < wrong else ())
    return {"messages": [{"role": "user", "content": question(numbers)}, {"role": "assistant", "content": text}]}


def asked(numbers):
    return {"messages": [{"role": "user", "content": question(numbers)}], "answer": str(sum(numbers))}


def preference(numbers, rng):
    if rng.random() < 0.5:
        rejected = with_steps(numbers, wrong_step(rng, numbers))
    else:
        rejected = answer(max(0, sum(numbers) + rng.choice((-3, -2, -1, 0, 1, 2, 3))))
    return {"prompt": question(numbers), "chosen": with_steps(numbers), "rejected": rejected}


def write(path, rows):
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("w") as out:
        for row in rows:
            out.write(json.dumps(row) + "\n")
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20000)
    parser.add_argument("--conversations", type=int, default=2000)
    parser.add_argument("--questions", type=int, default=4000)
    parser.add_argument("--preferences", type=int, default=3000)
    parser.add_argument("--held-out", type=int, default=256, help="questions, and preferences about them")
    parser.add_argument("--shortest", type=int, default=4, help="numbers of a sum, at least")
    parser.add_argument("--longest", type=int, default=4, help="numbers of a sum, at most")
    parser.add_argument("--largest", type=int, default=20, help="total of the first numbers of a sum")
    parser.add_argument("--direct", type=float, default=0.6, help="share of the conversations whose answer is given at once")
    parser.add_argument("--wrong", type=float, default=0.3, help="share of the answers worked out that have a wrong step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if not 2 <= args.shortest <= args.longest:
        parser.error("--shortest and --longest: at least 2 numbers, and in this order")
    if args.largest < 18:
        parser.error("--largest: at least 18")
    rng = random.Random(args.seed)
    sums = Sums(rng, args.shortest, args.longest, args.largest)
    if args.held_out > 9 * 12 ** (args.shortest - 1):
        parser.error(f"--held-out {args.held_out}: there are too few sums of {args.shortest} numbers")
    held_out = sums.hold_out(args.held_out)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        write(args.out / "held_out.jsonl", map(asked, held_out))
        write(args.out / "preferences_held_out.jsonl", (preference(n, rng) for n in held_out))
        write(args.out / "text.jsonl", (document(sums, rng) for _ in range(args.documents)))
        write(args.out / "chat.jsonl", (conversation(sums, rng, args.direct, args.wrong) for _ in range(args.conversations)))
        write(args.out / "questions.jsonl", (asked(sums.known()) for _ in range(args.questions)))
        write(args.out / "preferences.jsonl", (preference(sums.known(), rng) for _ in range(args.preferences)))
    except OSError as error:
        sys.exit(f"reasoning_corpus.py: {error}")


if __name__ == "__main__":
    main()
