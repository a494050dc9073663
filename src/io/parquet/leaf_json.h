// A column's value as JSON.
#pragma once
#include "io/json.h"
#include "io/parquet/values.h"

namespace fathom::parquet {

// Integers, booleans and floats are themselves (NaN and infinities, which JSON does not have, are null), text
// is a string as it lies in the file, bytes without an annotation are Json's binary. Dates and times are ISO
// 8601 ("2024-02-29", "23:59:59.5", "2024-02-29T12:00:00Z", Z where the file says UTC), decimals and UUIDs
// strings, intervals objects of months, days and milliseconds.
Json leaf_json(const Value& value, const Leaf& leaf);

}  // namespace fathom::parquet
