// Writing safetensors: the header first, then each tensor straight from its memory.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "io/content_hash.h"
#include "io/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

struct StoredType {
  std::string_view name;
  int64_t size;
};

constexpr StoredType stored_types[] = {{"U16", 2}, {"I16", 2}, {"U32", 4}};

std::string_view type_name(const NamedTensor& t) {
  for (const StoredType& type : stored_types)
    if (t.stored_as == type.name && type.size == size_of(t.tensor.dtype)) return type.name;
  switch (t.tensor.dtype) {
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

// Pointers to the tensors in the order of their data.
std::vector<const NamedTensor*> data_order(const std::string& path, std::span<const NamedTensor> tensors) {
  std::set<std::string_view> seen{"__metadata__"};
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& t : tensors) {
    check(static_cast<bool>(t.tensor), "{}: cannot write tensor '{}': it is empty", path, t.name);
    check(seen.insert(t.name).second, "{}: cannot write two tensors named '{}'", path, t.name);
    check(t.stored_as.empty() || type_name(t) == t.stored_as, "{}: cannot write tensor '{}' of {} as '{}'",
          path, t.name, name_of(t.tensor.dtype), t.stored_as);
    order.push_back(&t);
  }
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return size_of(a->tensor.dtype) > size_of(b->tensor.dtype);
  });
  return order;
}

std::string header_text(const std::vector<const NamedTensor*>& order,
                        const std::map<std::string, std::string>& metadata) {
  std::string text = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    if (text.back() != '{') text += ',';
    text += json_quoted(key) + ":" + json_quoted(value);
  }
  text += '}';
  int64_t offset = 0;
  for (const NamedTensor* t : order) {
    std::string shape;
    for (int i = 0; i < t->tensor.rank; ++i) shape += (i ? "," : "") + std::to_string(t->tensor.shape[i]);
    const int64_t end = offset + t->tensor.bytes();
    text += fmt::format(R"(,{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", json_quoted(t->name),
                        type_name(*t), shape, offset, end);
    offset = end;
  }
  text += '}';
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

// Returns the hash of what it wrote.
std::string write_data(AtomicFile& file, const ConstTensor& tensor) {
  ContentHash hash;
  const auto write = [&](std::span<const std::byte> bytes) {
    file.write(bytes);
    hash.add(bytes);
  };
  const auto* data = static_cast<const std::byte*>(tensor.data);
  if (tensor.contiguous()) {
    write(std::span(data, static_cast<size_t>(tensor.bytes())));
    return hash.digest();
  }
  const int64_t width = tensor.cols() * size_of(tensor.dtype),
                stride = tensor.row_stride * size_of(tensor.dtype);
  for (int64_t row = 0; row < tensor.rows(); ++row)
    write(std::span(data + row * stride, static_cast<size_t>(width)));
  return hash.digest();
}

}  // namespace

TensorChecksums write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                                  std::map<std::string, std::string> metadata, const Device* device) {
  metadata.emplace("format", "pt");
  const std::vector<const NamedTensor*> order = data_order(path, tensors);
  const std::string header = header_text(order, metadata);
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> 8 * i);

  AtomicFile file(path);
  file.write(length);
  file.write(header);
  const Device host = Device::cpu(1);
  Staging staging(device ? *device : host);
  TensorChecksums checksums;
  for (const NamedTensor* t : order) checksums[t->name] = write_data(file, staging.read(t->tensor));
  file.commit();
  return checksums;
}

}  // namespace fathom
