"""Holds the program: loads it, then does what the judge asks for and answers with the results. This process belongs to
the program, which may do with it what it likes: the judge believes nothing but the values it is sent."""
import builtins
import importlib
import json
import operator
import os
import sys
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire

PROGRAM = "/fathom/program.py"


def load():
    """The program's module, and the exception that ended its loading."""
    module = types.ModuleType("program")
    module.__file__ = PROGRAM
    sys.modules["program"] = module
    try:
        with open(PROGRAM, "rb") as file:
            exec(compile(file.read(), "program.py", "exec"), module.__dict__)
    except BaseException as error:
        return module, error
    return module, None


class Given:
    """An object of the tests: it can be handed back, and called if it is a function there."""

    def __init__(self, host, number):
        self._host, self._number = host, number

    def __call__(self, *args, **kwargs):
        return self._host.call_back(self._number, args, kwargs)


class Host:
    def __init__(self):
        self.line = wire.Line(3, 4)
        self.objects = []
        self.numbers = {}  # id of an object -> its place in `objects`, which keeps it alive
        self.given = {}
        self.module, self.load_error = load()
        self.operations = {
            "names": self.names, "call": lambda target, *args, **kwargs: target(*args, **kwargs), "get": getattr,
            "set": setattr, "item": operator.getitem, "set_item": operator.setitem, "iter": iter, "next": next,
            "len": len, "bool": bool, "str": str, "repr": repr,
            "operator": lambda name, *args: getattr(operator, name)(*args)}

    def pack(self, value):
        return wire.pack(value, self.foreign)

    def foreign(self, value):
        if isinstance(value, Given):
            return {"given": value._number}
        if isinstance(value, types.ModuleType):
            return {"module": value.__name__}
        if id(value) not in self.numbers:
            self.numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        return {"object": [self.numbers[id(value)], callable(value)]}

    def unpack(self, packed):
        return wire.unpack(packed, self.resolve)

    def resolve(self, tag, body):
        if tag == "object":
            return self.objects[body]
        if tag == "iterator":
            return iter([self.unpack(one) for one in body])
        if tag == "standard":
            return operator.attrgetter(body[1])(importlib.import_module(body[0]))
        return self.given.setdefault(body, Given(self, body))

    def names(self, wanted):
        if self.load_error is not None:
            raise self.load_error
        missing = object()
        found = {name: getattr(self.module, name, missing) for name in wanted}
        return {name: value for name, value in found.items() if value is not missing}

    def call_back(self, number, args, kwargs):
        self.line.send({"callback": [number, self.pack(list(args)), self.pack(kwargs)]})
        reply = self.line.receive()
        if "error" in reply:
            raise getattr(builtins, reply["error"], Exception)(reply["text"])
        return self.unpack(reply["value"])

    def answer(self, request):
        operation, packed_args, packed_kwargs = request
        try:
            args = self.unpack(packed_args)
            value = self.operations[operation](*args, **self.unpack(packed_kwargs))
            reply = {"value": self.pack(value)}
            if operation == "call":
                self.add_changes(reply, packed_args, args)
            return reply
        except BaseException as error:
            if isinstance(error, wire.Lost):
                raise
            kinds = [kind.__name__ for kind in type(error).__mro__]
            return {"error": kinds, "text": str(error)[:1000]}

    def add_changes(self, reply, before, args):
        """Lists and the like that the call has changed: the tests may look at them."""
        if all(one is None or isinstance(one, (bool, int, float, str)) for one in args[1:]):
            return
        after = [before[0], *(self.pack(one) for one in args[1:])]
        if json.dumps(after) != json.dumps(before):
            reply["changed"] = after[1:]

    def serve(self):
        while True:
            reply = self.answer(self.line.receive())
            try:
                self.line.send(reply)
            except (ValueError, RecursionError) as error:
                self.line.send({"error": [type(error).__name__, "Exception"], "text": str(error)})
            for stream in (sys.stdout, sys.stderr):
                try:
                    stream.flush()
                except Exception:
                    pass


if __name__ == "__main__":
    try:
        Host().serve()
    except wire.Lost:
        pass
