"""The program as the tests see it: a line to the other sandbox, and stand-ins for objects that live there."""
import builtins
import importlib
import itertools
import operator
import sys

import wire


class ProgramError(Exception):
    """An exception of the program that is none of Python's own, or that would end this process."""


class Program:
    """The other side of the line."""

    def __init__(self, objects_allowed, namespace):
        self.line = wire.Line(3, 4)
        self.objects_allowed = objects_allowed
        self.namespace = namespace  # of the tests
        self.given = []
        self.lost = None  # why nothing more comes from it

    def pack(self, value):
        return wire.pack(value, self.foreign)

    def foreign(self, value):
        if isinstance(value, Remote):
            return {"object": number_of(value)}
        if hasattr(type(value), "__next__"):
            return {"iterator": [self.pack(one) for one in drained(value)]}
        if path := standard_path(value):
            return {"standard": path}
        for number, one in enumerate(self.given):
            if one is value:
                return {"given": number}
        self.given.append(value)
        return {"given": len(self.given) - 1}

    def unpack(self, packed):
        try:
            return wire.unpack(packed, self.resolve)
        except Exception as error:
            raise wire.Lost(f"the program sent a value that has no meaning: {error!r}") from error

    def resolve(self, tag, body):
        if tag == "given":
            return self.given[body]
        if tag == "module":
            return import_standard(body)
        if tag != "object":
            raise ValueError(tag)
        number, is_callable = body
        return (RemoteFunction if is_callable else Remote)(self, int(number))

    def do(self, operation, *args, **kwargs):
        """What the program answers. A test that catches every exception does not hide that it is gone."""
        try:
            return self.ask(operation, args, kwargs)
        except wire.Lost as error:
            self.lost = str(error)
            raise

    def ask(self, operation, args, kwargs):
        self.line.send([operation, self.pack(list(args)), self.pack(kwargs)])
        while True:
            reply = self.line.receive()
            if not isinstance(reply, dict):
                raise wire.Lost("the program sent a reply that has no meaning")
            if "callback" in reply:
                self.call_back(reply["callback"])
                continue
            if "error" in reply:
                raise self.exception(reply)
            if "changed" in reply:
                for old, new in zip(args[1:], self.unpack(reply["changed"])):
                    take_over(old, new)
            return self.unpack(reply.get("value"))

    def exception(self, reply):
        text = str(reply.get("text"))
        kinds = reply["error"] if isinstance(reply["error"], list) else []
        for name in kinds:
            kind = getattr(builtins, name, None) if isinstance(name, str) else None
            if isinstance(kind, type) and issubclass(kind, Exception):
                try:
                    error = kind(text)
                except TypeError:
                    break
                error.args = (text,)
                return ProgramError(text) if kind is Exception else error
        return ProgramError(f"{kinds[0] if kinds else 'an exception'}: {text}")

    def call_back(self, body):
        try:
            number, args, kwargs = body
            target = self.given[number]
        except Exception as error:
            raise wire.Lost("the program calls what it was not given") from error
        args, kwargs = self.unpack(args), self.unpack(kwargs)
        try:
            if not isinstance(args, list) or not isinstance(kwargs, dict) or not self.is_function(target):
                raise TypeError("this object of the tests is no function")
            self.line.send({"value": self.pack(target(*args, **kwargs))})
        except Exception as error:
            self.line.send({"error": type(error).__name__, "text": str(error)})

    def is_function(self, value):
        """Functions that the tests define, and no others: what they import may do anything."""
        return type(value).__name__ == "function" and value.__globals__ is self.namespace


def drained(iterator, most=100000):
    """An iterator of the tests is sent as what it gives."""
    values = list(itertools.islice(iterator, most + 1))
    if len(values) > most:
        raise ValueError(f"an iterator gives more than {most} values")
    return values


def standard_path(value):
    """[module, name] of a function or class of Python's own, which the program has too."""
    name = getattr(value, "__qualname__", None)
    owner = getattr(value, "__objclass__", None)  # of a method that is not bound
    module = getattr(value, "__module__", None) or getattr(owner, "__module__", "builtins")
    if not callable(value) or not isinstance(name, str) or module not in sys.stdlib_module_names | {"builtins"}:
        return None
    try:
        found = operator.attrgetter(name)(importlib.import_module(module))
    except (AttributeError, ImportError):
        return None
    return [module, name] if found is value else None


def import_standard(name):
    if not isinstance(name, str) or name.split(".")[0] not in sys.stdlib_module_names | {"numpy"}:
        raise ValueError(f"module {name}")
    return importlib.import_module(name)


def take_over(old, new):
    """What the program did to an argument it was given."""
    if type(old) is not type(new):
        return
    if isinstance(old, (list, bytearray)):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif isinstance(old, tuple):
        for one, other in zip(old, new):
            take_over(one, other)


class Remote:
    """An object of the program's. Asked for its parts, its length or its truth, the program answers, and knows no more
    than the question. A comparison with a value of the tests is never asked of it: it would say yes."""

    def __init__(self, program, number, bound=False):
        object.__setattr__(self, "_fathom", (program, number, bound))

    def _ask(self, operation, *args, **kwargs):
        return self._fathom[0].do(operation, self, *args, **kwargs)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        value = self._ask("get", name)
        if isinstance(value, Remote):
            object.__setattr__(value, "_fathom", (*value._fathom[:2], True))
        return value

    def __setattr__(self, name, value):
        self._ask("set", name, value)

    def __getitem__(self, key):
        return self._ask("item", key)

    def __setitem__(self, key, value):
        self._ask("set_item", key, value)

    def __iter__(self):
        iterator = self._ask("iter")
        while True:
            try:
                value = iterator._ask("next")
            except StopIteration:
                return
            yield value

    def __len__(self):
        return self._ask("len")

    def __bool__(self):
        return self._ask("bool")

    def __str__(self):
        return self._ask("str")

    def __repr__(self):
        return self._ask("repr")

    def __hash__(self):
        return number_of(self)


def number_of(remote):
    return remote._fathom[1]


def add_operators():
    """Between two objects of the program's, the program decides."""
    def make(name):
        def operate(self, other):
            if not isinstance(other, Remote):
                return NotImplemented
            return self._fathom[0].do("operator", name, self, other)
        return operate
    for name in "eq ne lt le gt ge add sub mul truediv floordiv mod pow matmul and or xor".split():
        setattr(Remote, f"__{name}__", make(f"__{name}__"))


add_operators()


class RemoteFunction(Remote):
    def __call__(self, *args, **kwargs):
        program, _, bound = self._fathom
        if bound and (args or kwargs) and not program.objects_allowed:
            raise ProgramError("a result is no plain value, and the tests call a method of it: only tests that allow "
                               "the program's own objects may do so")
        return self._ask("call", *args, **kwargs)
