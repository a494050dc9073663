#!/usr/bin/env python3
"""Makes Parquet files with pyarrow, fastparquet, DuckDB and polars, and the rows that must be read from them.

    python3 tools/make_parquet_golden.py tests/io/parquet          the small files that are kept
    python3 tools/make_parquet_golden.py --random SEED FOLDER      files of random types, nesting and options, of pyarrow

Beside each NAME.parquet is NAME.jsonl with its rows as fathom gives them (io/parquet/leaf_json.h): what pyarrow reads, dates
and times in ISO 8601, decimals as texts, NaN and infinities as null, bytes as {"hex": ...}.
"""
import argparse
import datetime
import decimal
import json
import math
import os
import random
import uuid

import pyarrow as pa
import pyarrow.parquet as pq


def digits(fraction, width):
    return f".{fraction:0{width}}".rstrip("0") if fraction else ""


def clock(value, per_second):
    seconds, fraction = divmod(value, per_second)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + digits(fraction, len(str(per_second)) - 1)


PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def plain(scalar):
    """A pyarrow scalar as fathom's JSON."""
    t = scalar.type
    if not scalar.is_valid or pa.types.is_null(t):
        return None
    if pa.types.is_dictionary(t):
        return plain(scalar.as_py() if isinstance(scalar.as_py(), pa.Scalar) else pa.scalar(scalar.as_py(), t.value_type))
    if pa.types.is_map(t):
        return [{"key": plain(pair["key"]), "value": plain(pair["value"])} for pair in scalar.values]
    if pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t):
        return [plain(element) for element in scalar.values]
    if pa.types.is_struct(t):
        return {name: plain(scalar[name]) for name in scalar}
    if pa.types.is_floating(t):
        value = float(scalar.as_py())
        return value if math.isfinite(value) else None
    if pa.types.is_decimal(t):
        return format(scalar.as_py(), "f")
    if pa.types.is_date(t):
        return scalar.as_py().isoformat()
    if pa.types.is_time(t):
        return clock(scalar.value, PER_SECOND[t.unit])
    if pa.types.is_timestamp(t):
        per_second = PER_SECOND[t.unit]
        days, rest = divmod(scalar.value, 86400 * per_second)
        date = datetime.date(1970, 1, 1) + datetime.timedelta(days=days)
        return f"{date.isoformat()}T{clock(rest, per_second)}" + ("Z" if t.tz else "")
    value = scalar.as_py()
    if isinstance(value, uuid.UUID):
        return str(value)
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def rows_of(path):
    table = pq.read_table(path)
    columns = [(name, table.column(name)) for name in table.column_names]
    return [{name: plain(column[i]) for name, column in columns} for i in range(table.num_rows)]


def write_rows(path, rows=None):
    with open(path.removesuffix(".parquet") + ".jsonl", "w", encoding="utf-8") as file:
        for row in rows if rows is not None else rows_of(path):
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def every(values, nulls=True, n=60):
    """n values that repeat and change, every seventh null."""
    return [None if nulls and i % 7 == 3 else values[(i + i // 5) % len(values)] for i in range(n)]


def types_table():
    day, moment = datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 30, 45, 123456)
    of = {
        "flag": (pa.bool_(), [True, False, True]),
        "i8": (pa.int8(), [-128, 127, 0]),
        "u8": (pa.uint8(), [0, 255, 7]),
        "u16": (pa.uint16(), [0, 65535, 7]),
        "i32": (pa.int32(), [-2**31, 2**31 - 1, 5, 6]),
        "u32": (pa.uint32(), [0, 2**32 - 1, 7]),
        "i64": (pa.int64(), [-2**63, 2**63 - 1, 0, 1]),
        "u64": (pa.uint64(), [0, 2**64 - 1, 7]),
        "f16": (pa.float16(), [1.5, -0.000061, 65504.0, math.inf]),
        "f32": (pa.float32(), [0.1, -3.5e38, 1e-45, math.nan]),
        "f64": (pa.float64(), [0.1, -1.7e308, 5e-324, -math.inf]),
        "text": (pa.string(), ["", "a", "naïve — 零", "long " * 30]),
        "large": (pa.large_string(), ["x", "yy"]),
        "bytes": (pa.binary(), [b"", b"\xff\x00\xfe", b"abc"]),
        "fixed": (pa.binary(3), [b"abc", b"\x00\xff\x01"]),
        "word": (pa.dictionary(pa.int32(), pa.string()), ["red", "green", "blue"]),
        "small": (pa.decimal128(7, 2), [decimal.Decimal("-12345.67"), decimal.Decimal("0.05")]),
        "middle": (pa.decimal128(16, 4), [decimal.Decimal("-0.0001"), decimal.Decimal("123456789012.3456")]),
        "wide": (pa.decimal128(38, 10), [decimal.Decimal(-10) ** 27 / 3 // 1, decimal.Decimal("0.0000000001")]),
        "wider": (pa.decimal256(70, 0), [decimal.Decimal(-(2**230)), decimal.Decimal(2**200 + 1)]),
        "date": (pa.date32(), [day, datetime.date(1, 1, 1), datetime.date(1969, 12, 31), datetime.date(9999, 12, 31)]),
        "t_ms": (pa.time32("ms"), [datetime.time(23, 59, 59, 999000), datetime.time(0)]),
        "t_us": (pa.time64("us"), [datetime.time(1, 2, 3, 40), datetime.time(12)]),
        "t_ns": (pa.time64("ns"), [1, 86399999999999]),
        "s_ms": (pa.timestamp("ms"), [moment.replace(microsecond=120000), datetime.datetime(1969, 12, 31, 23, 59, 59)]),
        "s_us": (pa.timestamp("us", "UTC"), [moment, datetime.datetime(1, 1, 1)]),
        "s_ns": (pa.timestamp("ns"), [1, -1, 1709208000000000000]),
        "nothing": (pa.null(), [None]),
    }
    return pa.table({name: pa.array(every(values, n=30), type) for name, (type, values) in of.items()})


def nested_table():
    text, number = pa.string(), pa.int32()
    point = pa.struct([("x", number), ("tags", pa.list_(text))])
    of = {
        "list": (pa.list_(text), [["a"], [], None, ["b", None, ""], [None]]),
        "lists": (pa.list_(pa.list_(number)), [[[1, 2], [], None], None, [], [[None]], [[3], [4, 5]]]),
        "struct": (point, [{"x": 1, "tags": ["p"]}, None, {"x": None, "tags": None}, {"x": 2, "tags": []}]),
        "structs": (pa.list_(point), [[{"x": 1, "tags": ["p", "q"]}, None], [], None, [{"x": None, "tags": [None]}, {"x": 7, "tags": None}]]),
        "map": (pa.map_(text, number), [[("a", 1), ("b", None)], [], None]),
        "maps": (pa.list_(pa.map_(text, pa.list_(text))), [[[("k", ["v", None])], []], None, [None], [[("l", None)]]]),
        "deep": (pa.struct([("a", pa.struct([("b", pa.list_(pa.struct([("c", pa.list_(number))])))]))]),
                 [{"a": {"b": [{"c": [1, 2]}, {"c": None}, None]}}, {"a": None}, None, {"a": {"b": []}}]),
        "fixed": (pa.list_(number, 2), [[1, 2], [3, 4]]),
    }
    columns = {name: pa.array([values[i * (i + 1) // 2 % len(values)] for i in range(40)], type) for name, (type, values) in of.items()}
    required = pa.list_(pa.field("item", number, nullable=False))
    columns["must"] = pa.array([[i] * (i % 3) for i in range(40)], required)
    schema = pa.schema([pa.field(name, column.type, nullable=name != "must") for name, column in columns.items()])
    return pa.table(list(columns.values()), schema=schema)


ENCODINGS = {
    "PLAIN": ("flag", "i32", "i64", "f32", "f64", "text", "fixed"),
    "RLE": ("flag",),
    "DELTA_BINARY_PACKED": ("i32", "i64", "u8", "s_us"),
    "DELTA_LENGTH_BYTE_ARRAY": ("text", "bytes"),
    "DELTA_BYTE_ARRAY": ("text", "bytes", "fixed"),
    "BYTE_STREAM_SPLIT": ("i32", "i64", "f32", "f64", "fixed", "f16"),
}


def longer(table, times):
    return pa.concat_tables([table] * times).combine_chunks()


def pyarrow_files(folder):
    table, nested = types_table(), nested_table()
    small = table.select(["flag", "i32", "text", "f64"])
    written = {}

    def write(name, table, **options):
        path = written[name] = os.path.join(folder, name + ".parquet")
        pq.write_table(table, path, **{"store_schema": False, "write_statistics": False, **options})

    for version in ("1.0", "2.0"):
        v = version[0]
        write(f"types_v{v}", table, data_page_version=version, compression="none", version="2.6")
        write(f"nested_v{v}", nested, data_page_version=version, compression="snappy", data_page_size=64, write_batch_size=8)
        for encoding, names in ENCODINGS.items():
            write(f"{encoding.lower()}_v{v}", longer(table.select(names), 4), data_page_version=version, use_dictionary=False,
                  column_encoding={name: encoding for name in names}, compression="zstd")
        for codec in ("none", "snappy", "gzip", "zstd"):
            write(f"codec_{codec}_v{v}", small, data_page_version=version, compression=codec, write_page_checksum=True)
    write("old", table.drop_columns(["s_ns", "t_ns", "u32"]), version="1.0", compression="none")
    write("groups", nested.select(["lists", "structs", "must"]), row_group_size=7, compression="none")
    write("pages", longer(table.select(["text", "i32"]), 8), data_page_size=200, write_batch_size=16, dictionary_pagesize_limit=200)
    write("empty", nested.slice(0, 0))
    write("no_columns", pa.table({}))
    write("nulls", pa.table({"a": pa.array([None] * 900, pa.string()), "b": pa.array([[]] * 900, pa.list_(pa.int64()))}))
    write("one_value", pa.table({"a": pa.array(["same"] * 900), "b": pa.array([True] * 900)}))
    write("spark_lists", nested.select(["list", "structs"]), use_compliant_nested_type=False)
    for path in written.values():
        write_rows(path)
    for codec in ("brotli", "lz4"):
        pq.write_table(small, os.path.join(folder, f"not_read_{codec}.parquet"), compression=codec)
    pq.write_table(pa.table({"a": pa.array([1], pa.timestamp("ns"))}), os.path.join(folder, "not_read_int96.parquet"),
                   use_deprecated_int96_timestamps=True)


def other_writers(folder):
    import duckdb
    import fastparquet
    import pandas
    import polars

    path = os.path.join(folder, "duckdb.parquet")
    duckdb.sql(f"""copy (select i as id, case when i % 5 = 0 then null else 'text ' || i end as text, i * 0.25 as real,
        case when i % 3 = 0 then [] when i % 7 = 0 then null else [{{'a': i, 'b': ['x', null]}}] end as list,
        map {{'k' || i: i}} as map, i % 2 = 0 as flag, (i / 100)::decimal(9, 3) as price, date '2024-02-28' + i::int as day,
        md5(i::text)::uuid as id128, interval (i) month as span from range(100) t(i)) to '{path}' (format parquet, compression zstd, parquet_version v2)""")
    con = duckdb.connect()
    spans = [{"months": i, "days": 0, "milliseconds": 0} for i in range(100)]
    rows = rows_of(path)
    for row, span in zip(rows, spans):
        row["span"] = span
        if isinstance(row["id128"], dict):
            row["id128"] = str(uuid.UUID(row["id128"]["hex"]))
    con.close()
    write_rows(path, rows)

    path = os.path.join(folder, "polars.parquet")
    polars.DataFrame({
        "text": [None if i % 4 == 0 else f"line {i}" for i in range(90)],
        "list": polars.Series([None if i % 5 == 0 else [{"a": j, "b": [str(j)] * (j % 2)} for j in range(i % 4)] for i in range(90)],
                              dtype=polars.List(polars.Struct({"a": polars.Int64, "b": polars.List(polars.String)}))),
        "small": polars.Series([i % 200 for i in range(90)], dtype=polars.UInt8),
        "when": [datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=i) for i in range(90)],
        "kind": polars.Series(["a", "b", None] * 30, dtype=polars.Categorical),
    }).write_parquet(path, row_group_size=40, data_page_size=128)
    write_rows(path)

    path = os.path.join(folder, "fastparquet.parquet")
    frame = pandas.DataFrame({"text": [f"row {i}" if i % 3 else None for i in range(50)], "n": range(50),
                              "x": [i / 8 for i in range(50)], "day": pandas.to_datetime(["2024-02-29 01:02:03"] * 50)})
    fastparquet.write(path, frame, row_group_offsets=20, compression="GZIP")
    write_rows(path)


def random_type(rng, depth):
    leaves = [pa.int32(), pa.int64(), pa.uint64(), pa.float64(), pa.bool_(), pa.string(), pa.binary(), pa.binary(5), pa.date32()]
    kind = rng.random()
    if depth == 0 or kind < 0.4:
        return rng.choice(leaves)
    field = lambda name: pa.field(name, random_type(rng, depth - 1), nullable=rng.random() < 0.7)
    if kind < 0.65:
        return pa.list_(field("element"))
    if kind < 0.9:
        return pa.struct([field(f"f{i}") for i in range(rng.randint(1, 3))])
    return pa.map_(pa.string(), field("value"))


def random_value(rng, t, nullable):
    if nullable and rng.random() < 0.2:
        return None
    if pa.types.is_struct(t):
        return {f.name: random_value(rng, f.type, f.nullable) for f in t}
    if pa.types.is_map(t):
        return [(str(i), random_value(rng, t.item_type, t.item_field.nullable)) for i in range(rng.choice((0, 1, 3)))]
    if pa.types.is_list(t):
        return [random_value(rng, t.value_type, t.value_field.nullable) for _ in range(rng.choice((0, 0, 1, 2, 9)))]
    few = rng.random() < 0.5
    if pa.types.is_string(t):
        return rng.choice(("", "a", "word")) if few else "".join(chr(rng.randint(32, 1000)) for _ in range(rng.randint(0, 40)))
    if pa.types.is_fixed_size_binary(t):
        return b"fixed" if few else rng.randbytes(5)
    if pa.types.is_binary(t):
        return rng.randbytes(rng.choice((0, 1, 20)))
    if pa.types.is_boolean(t):
        return few
    if pa.types.is_floating(t):
        return 0.5 if few else rng.gauss(0, 1e10)
    if pa.types.is_date(t):
        return datetime.date.fromordinal(rng.randint(1, 3652059))
    low, high = {pa.int32(): (-2**31, 2**31 - 1), pa.int64(): (-2**63, 2**63 - 1), pa.uint64(): (0, 2**64 - 1)}[t]
    return rng.randint(0, 3) if few else rng.randint(low, high)


def random_files(folder, seed, count=40):
    rng = random.Random(seed)
    for k in range(count):
        n = rng.choice((0, 1, 10, 500, 3000))
        fields = [pa.field(f"c{i}", random_type(rng, rng.randint(0, 4)), nullable=rng.random() < 0.7) for i in range(rng.randint(1, 5))]
        table = pa.table([pa.array([random_value(rng, f.type, f.nullable) for _ in range(n)], f.type) for f in fields], schema=pa.schema(fields))
        path = os.path.join(folder, f"random_{k}.parquet")
        pq.write_table(table, path, compression=rng.choice(("none", "snappy", "gzip", "zstd")), row_group_size=rng.choice((7, 100, 10**6)),
                       data_page_version=rng.choice(("1.0", "2.0")), data_page_size=rng.choice((64, 1000, 2**20)),
                       write_batch_size=rng.choice((1, 16, 1024)), use_dictionary=rng.random() < 0.5,
                       dictionary_pagesize_limit=rng.choice((50, 2**20)), write_page_checksum=rng.random() < 0.5)
        write_rows(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, metavar="SEED")
    parser.add_argument("folder")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    if args.random is not None:
        random_files(args.folder, args.random)
        return
    pyarrow_files(args.folder)
    other_writers(args.folder)


main()
