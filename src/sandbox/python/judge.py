"""Runs the tests and says which of them passed. The program is in another sandbox: what the tests ask of it goes
there and comes back as plain data, so that an assert here compares values and runs no code of the program's."""
import builtins
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_code
import wire
from remote import Program, ProgramError

REPORT = 5


def report(**fields):
    data = (json.dumps(fields) + "\n").encode("ascii")
    while data:
        data = data[os.write(REPORT, data):]


def brief(text, size=300):
    return text if len(text) <= size else text[:size] + " ..."


class OneTest:
    program = None

    def __init__(self, number):
        self.number = number

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None and self.program.lost is None:
            report(passed=self.number)
            return False
        if kind is None or issubclass(kind, wire.Lost):
            return False
        report(failed=self.number, text=brief(describe(error, trace)))
        return True


def describe(error, trace):
    """The line of the tests and what it came to."""
    place = ""
    while trace:
        place = test_code.SOURCES.get((trace.tb_frame.f_code.co_filename, trace.tb_lineno), place)
        trace = trace.tb_next
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{brief(place, 150)}: {text}" if place else text


def bind_program(program, request, trees):
    """The names that the tests use and that the program defines. Python's own names stay what they are, unless they
    are what is tested: a program that defines its own abs() is not to judge itself."""
    entry, free = request["entry_point"], test_code.free_names(trees)
    wanted = {name for name in free if not hasattr(builtins, name)} | ({entry} if entry else set())
    found = program.do("names", sorted(wanted)) if wanted else {}
    if not wanted:
        wanted = free
        found = program.do("names", sorted(wanted))
    if not isinstance(found, dict):
        raise wire.Lost("the program names no names")
    NAMESPACE.update({name: value for name, value in found.items() if name in wanted})
    if entry and entry not in found:
        raise ProgramError(f"the program does not define {entry}")


def run_given(request):
    """Code that the tests may build on; the program's form of the entry point stays."""
    entry = request["entry_point"]
    tested = NAMESPACE.get(entry)
    try:
        exec(compile(test_code.parse(request["given"], "the given code"), "the given code", "exec"), NAMESPACE)
    except wire.Lost:
        raise
    except BaseException as error:
        raise test_code.Broken(f"the given code: {error!r}") from error
    if entry:
        NAMESPACE[entry] = tested


NAMESPACE = {"__name__": "tests", "__fathom_test__": OneTest}


def judge(request, program):
    tests = test_code.Tests()
    is_check = request["style"] == "check"
    read = test_code.check_tree if is_check else test_code.asserts_trees
    trees = read(request["tests"], tests)
    report(total=tests.total)
    bind_program(program, request, trees.values())
    run_given(request)
    for where, tree in trees.items():
        exec(compile(tree, where, "exec"), NAMESPACE)
    if is_check:
        NAMESPACE["check"](NAMESPACE[request["entry_point"]])


def main():
    with open("/fathom/request.json", "rb") as file:
        request = json.load(file)
    program = OneTest.program = Program(request["objects"], NAMESPACE)
    try:
        judge(request, program)
        report(**({"done": True} if program.lost is None else {"lost": brief(program.lost)}))
    except test_code.Broken as error:
        report(broken=brief(str(error)))
    except wire.Lost as error:
        report(lost=brief(str(error)))
    except BaseException as error:
        report(error=brief(describe(error, error.__traceback__)))


if __name__ == "__main__":
    main()
