#include "io/safetensors_layout.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "io/json.h"

namespace fathom {
namespace {

struct StoredType {
  std::string_view name;
  int64_t size;
};

constexpr StoredType stored_types[] = {{"U16", 2}, {"I16", 2}, {"U32", 4}};

std::string_view type_name(const StoredTensor& t) {
  for (const StoredType& type : stored_types)
    if (t.stored_as == type.name && type.size == size_of(t.dtype)) return type.name;
  switch (t.dtype) {
    case DType::f64:
      return "F64";
    case DType::f32:
      return "F32";
    case DType::bf16:
      return "BF16";
    case DType::f16:
      return "F16";
    case DType::i32:
      return "I32";
    case DType::i64:
      return "I64";
  }
  return "?";
}

std::vector<size_t> data_order(const std::string& path, std::span<const StoredTensor> tensors) {
  std::set<std::string_view> seen{"__metadata__"};
  std::vector<size_t> order;
  for (const StoredTensor& t : tensors) {
    check(seen.insert(t.name).second, "{}: cannot write two tensors named '{}'", path, t.name);
    check(t.stored_as.empty() || type_name(t) == t.stored_as, "{}: cannot write tensor '{}' of {} as '{}'",
          path, t.name, name_of(t.dtype), t.stored_as);
    order.push_back(order.size());
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return size_of(tensors[a].dtype) > size_of(tensors[b].dtype); });
  return order;
}

std::string metadata_text(const std::map<std::string, std::string>& metadata) {
  std::string text = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    if (text.back() != '{') text += ',';
    text += json_quoted(key) + ":" + json_quoted(value);
  }
  return text + '}';
}

}  // namespace

int64_t StoredTensor::count() const {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

SafetensorsLayout safetensors_layout(const std::string& path, std::span<const StoredTensor> tensors,
                                     std::map<std::string, std::string> metadata) {
  metadata.emplace("format", "pt");
  SafetensorsLayout layout;
  layout.order = data_order(path, tensors);
  layout.offsets.resize(tensors.size());
  std::string header = metadata_text(metadata);
  uint64_t at = 0;
  for (const size_t i : layout.order) {
    const StoredTensor& t = tensors[i];
    const uint64_t end = at + static_cast<uint64_t>(t.bytes());
    header += fmt::format(R"(,{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", json_quoted(t.name),
                          type_name(t), fmt::join(t.shape, ","), at, end);
    layout.offsets[i] = at;
    at = end;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  for (int i = 0; i < 8; ++i) layout.head += static_cast<char>(header.size() >> 8 * i);
  layout.head += header;
  for (uint64_t& offset : layout.offsets) offset += layout.head.size();
  layout.bytes = layout.head.size() + at;
  return layout;
}

}  // namespace fathom
