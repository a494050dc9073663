#!/usr/bin/env python3
"""Reads the event files of a directory with TensorBoard itself and prints the scalars as JSON: {tag: [[step, value], ...]}.

  tensorboard_check.py EVENT_DIR

Exit status: 0 read, 1 nothing or something unreadable in the directory, 77 TensorBoard is not installed (a test skips).
"""

import json
import sys

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError as error:
    print(f"skipped: {error}", file=sys.stderr)
    sys.exit(77)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    scalars = {tag: [[point.step, point.value] for point in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    for tag in events.Tags()["tensors"]:  # scalars written in the newer form, as tensors of one element
        points = [(p.step, p.tensor_proto) for p in events.Tensors(tag)]
        scalars[tag] = [[step, proto.float_val[0]] for step, proto in points if proto.float_val]
    if not any(scalars.values()):
        sys.exit(f"{sys.argv[1]}: no scalars found")
    print(json.dumps(scalars))


if __name__ == "__main__":
    main()
