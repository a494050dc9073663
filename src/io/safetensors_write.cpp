// Writing a safetensors file at one go: the header first, then each tensor straight from its memory.
#include "base/error.h"
#include "io/file.h"
#include "io/safetensors.h"

namespace fathom {
namespace {

void write_data(AtomicFile& file, const ConstTensor& tensor) {
  const auto* data = static_cast<const std::byte*>(tensor.data);
  if (tensor.contiguous()) return file.write(std::span(data, static_cast<size_t>(tensor.bytes())));
  const int64_t width = tensor.cols() * size_of(tensor.dtype),
                stride = tensor.row_stride * size_of(tensor.dtype);
  for (int64_t row = 0; row < tensor.rows(); ++row)
    file.write(std::span(data + row * stride, static_cast<size_t>(width)));
}

}  // namespace

StoredTensor stored_tensor(const std::string& path, const NamedTensor& t) {
  check(static_cast<bool>(t.tensor), "{}: cannot write tensor '{}': it is empty", path, t.name);
  const auto shape = t.tensor.shape.begin();
  return {t.name, t.tensor.dtype, std::vector(shape, shape + t.tensor.rank), t.stored_as};
}

void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       std::map<std::string, std::string> metadata) {
  std::vector<StoredTensor> stored;
  for (const NamedTensor& t : tensors) stored.push_back(stored_tensor(path, t));
  const SafetensorsLayout layout = safetensors_layout(path, stored, std::move(metadata));
  AtomicFile file(path);
  file.write(layout.head);
  for (const size_t i : layout.order) write_data(file, tensors[i].tensor);
  file.commit();
}

}  // namespace fathom
