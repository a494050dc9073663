// Any bytes as a safetensors file: refused with an Error, or every byte of every tensor it lists can be read.
#include "base/error.h"
#include "io/checkpoint.h"
#include "io/safetensors.h"

unsigned sum_of_all_bytes;  // visible from outside, so that no read is optimised away

namespace {

void read_tensor(const fathom::SafetensorsFile& file, const fathom::SafetensorsEntry& entry) {
  for (const std::byte b : entry.bytes) sum_of_all_bytes += static_cast<unsigned>(b);
  try {
    file.read_ints(entry.name);
  } catch (const fathom::Error&) {
  }
  try {
    const fathom::ConstTensor tensor = file.tensor(entry.name);
    std::vector<double> values(static_cast<size_t>(tensor.count()) + 1);
    const fathom::DType type = fathom::is_float(tensor.dtype) ? fathom::DType::f64 : fathom::DType::i32;
    fathom::Tensor copy(values.data(), type, {1});
    copy.rank = tensor.rank, copy.shape = tensor.shape, copy.row_stride = tensor.cols();
    fathom::copy_tensor(tensor, copy, entry.name);
  } catch (const fathom::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto file = fathom::SafetensorsFile::parse("fuzz", std::as_bytes(std::span(data, size)));
    for (const fathom::SafetensorsEntry& entry : file.tensors()) read_tensor(file, entry);
  } catch (const fathom::Error&) {
  }
  return 0;
}
