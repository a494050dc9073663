// JSON to and from programs outside (commands, endpoints), whose faults are counted and end nothing.
#pragma once
#include <optional>
#include <string>

#include "io/json.h"

namespace fathom {

// In one line, without its end. Bytes that are not UTF-8 become U+FFFD.
std::string json_line(const Json& json);
std::string json_line(const OrderedJson& json);

// What was sent as one value. Numbers that are no JSON, as Python writes NaN and Infinity, count as null.
// Nothing when that is no JSON.
std::optional<Json> parse_sent(std::string text);

// A text from outside as a reason: one line, at most 200 bytes.
std::string as_reason(std::string text);

}  // namespace fathom
