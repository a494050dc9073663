"""Between the judge and the program: messages of plain data over two pipes. Nothing that is received is executed: a
value arrives as a copy made of Python's own types, or as a handle."""
import builtins
import importlib
import json
import os
import struct

MOST_BYTES = 64 << 20

# Types that stand for themselves as what is called; of functions none: eval would be one.
PLAIN_TYPES = {kind.__name__: kind for kind in (
    bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, range, object)}
PLAIN_TYPES.update({name: kind for name, kind in vars(builtins).items()
                    if isinstance(kind, type) and issubclass(kind, Exception)})


class Lost(BaseException):
    """The other side is gone, or what it sends has no meaning."""


class Line:
    def __init__(self, outgoing, incoming):
        self.outgoing, self.incoming = outgoing, incoming

    def send(self, message):
        data = json.dumps(message).encode("ascii")
        if len(data) > MOST_BYTES:
            raise ValueError("the value is too large to be sent")
        data = struct.pack(">I", len(data)) + data
        while data:
            try:
                data = data[os.write(self.outgoing, data):]
            except OSError as error:
                raise Lost("the connection is closed") from error

    def receive(self):
        size, = struct.unpack(">I", self._read(4))
        if size > MOST_BYTES:
            raise Lost("a message is too large")
        data = self._read(size)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Lost("a message has no meaning") from error

    def _read(self, size):
        parts = []
        while size:
            try:
                part = os.read(self.incoming, min(size, 1 << 20))
            except OSError as error:
                raise Lost("the connection is closed") from error
            if not part:
                raise Lost("the connection is closed")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def standard(name):
    """The type "datetime.date" of its module."""
    module, _, kind = name.partition(".")
    return getattr(importlib.import_module(module), kind)


# Tag -> (the type's full name, value -> parts, parts -> value); parts are packed in turn.
TAGS = {
    "tuple": ("builtins.tuple", list, tuple),
    "set": ("builtins.set", list, set),
    "frozenset": ("builtins.frozenset", list, frozenset),
    "dict": ("builtins.dict", lambda v: [list(pair) for pair in dict.items(v)], dict),
    "bytes": ("builtins.bytes", lambda v: [v.hex()], lambda p: bytes.fromhex(p[0])),
    "bytearray": ("builtins.bytearray", lambda v: [v.hex()], lambda p: bytearray.fromhex(p[0])),
    "complex": ("builtins.complex", lambda v: [v.real, v.imag], lambda p: complex(*p)),
    "range": ("builtins.range", lambda v: [v.start, v.stop, v.step], lambda p: range(*p)),
    "counter": ("collections.Counter", lambda v: [list(pair) for pair in dict.items(v)],
                lambda p: standard("collections.Counter")(dict(p))),
    "ordered": ("collections.OrderedDict", lambda v: [list(pair) for pair in v.items()],
                lambda p: standard("collections.OrderedDict")(p)),
    "deque": ("collections.deque", lambda v: [list(v), v.maxlen], lambda p: standard("collections.deque")(*p)),
    "fraction": ("fractions.Fraction", lambda v: [v.numerator, v.denominator],
                 lambda p: standard("fractions.Fraction")(*p)),
    "decimal": ("decimal.Decimal", lambda v: [str(v)], lambda p: standard("decimal.Decimal")(p[0])),
    "datetime": ("datetime.datetime", lambda v: [v.isoformat()],
                 lambda p: standard("datetime.datetime").fromisoformat(p[0])),
    "date": ("datetime.date", lambda v: [v.isoformat()], lambda p: standard("datetime.date").fromisoformat(p[0])),
    "time": ("datetime.time", lambda v: [v.isoformat()], lambda p: standard("datetime.time").fromisoformat(p[0])),
    "timedelta": ("datetime.timedelta", lambda v: [v.days, v.seconds, v.microseconds],
                  lambda p: standard("datetime.timedelta")(*p)),
}
TAG_OF_TYPE = {name: tag for tag, (name, _, _) in TAGS.items()}
# Subclasses travel as these: a named tuple as a tuple, a defaultdict as a dict.
BASES = (bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict)


def pack(value, foreign):
    """As JSON. `foreign(value)` packs what is no plain data."""
    kind = type(value)
    if value is None or kind in (bool, str, float):
        return value
    if kind is int:
        return value if -2**63 <= value < 2**63 else {"int": hex(value)}
    if kind is list:
        return [pack(one, foreign) for one in value]
    tag = TAG_OF_TYPE.get(f"{kind.__module__}.{kind.__qualname__}")
    if tag and standard(TAGS[tag][0]) is kind:
        return {tag: [pack(part, foreign) for part in TAGS[tag][1](value)]}
    if value is Ellipsis:
        return {"ellipsis": 0}
    if kind is type and PLAIN_TYPES.get(value.__name__) is value:
        return {"type": value.__name__}
    for base in BASES:
        if isinstance(value, base):
            return pack(base(value), foreign)
    if kind.__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return pack(value.item(), foreign)
    return foreign(value)


def unpack(packed, foreign):
    """`foreign(tag, body)` unpacks what is no plain data. Any exception says that the bytes have no meaning."""
    if isinstance(packed, list):
        return [unpack(one, foreign) for one in packed]
    if not isinstance(packed, dict):
        return packed
    (tag, body), = packed.items()
    if tag in TAGS:
        return TAGS[tag][2]([unpack(part, foreign) for part in body])
    if tag == "int":
        return int(body, 16)
    if tag == "ellipsis":
        return Ellipsis
    if tag == "type":
        return PLAIN_TYPES[body]
    return foreign(tag, body)
