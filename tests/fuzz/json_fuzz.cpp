// Any bytes as JSON: parsed or refused with an Error, and every typed read of every field does the same.
#include <string_view>

#include "base/error.h"
#include "io/json.h"

namespace {

template <class T>
void try_reading(const fathom::JsonObject& object, const std::string& key) {
  try {
    object.required<T>(key);
  } catch (const fathom::Error&) {
  }
}

void read_fields(const fathom::JsonObject& object) {
  for (const auto& [key, value] : object.json().items()) {
    try_reading<bool>(object, key);
    try_reading<int8_t>(object, key);
    try_reading<int64_t>(object, key);
    try_reading<uint64_t>(object, key);
    try_reading<float>(object, key);
    try_reading<std::string>(object, key);
    try_reading<std::vector<uint32_t>>(object, key);
    if (value.is_object()) read_fields(object.child(key));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const fathom::Json json = fathom::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    read_fields(fathom::JsonObject(json, "fuzz"));
  } catch (const fathom::Error&) {
  }
  return 0;
}
