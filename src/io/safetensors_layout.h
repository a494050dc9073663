// Where everything stands in a safetensors file, from names, types and shapes alone: whoever knows them can
// write any part of the file.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace fathom {

struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  // The element type the file names, for types that Tensor lacks: see NamedTensor.
  std::string stored_as = {};

  int64_t count() const;
  int64_t bytes() const { return count() * size_of(dtype); }
};

struct SafetensorsLayout {
  std::string head;               // the file up to its data: length and header
  std::vector<size_t> order;      // of the data: which of the tensors comes first, second, ...
  std::vector<uint64_t> offsets;  // in the file, of each tensor
  uint64_t bytes = 0;             // of the file
};

// The data is in the given order, except that wider element types come first so that every tensor is
// aligned. The metadata gains "format": "pt", which the Hugging Face readers ask for. `path` is for errors.
SafetensorsLayout safetensors_layout(const std::string& path, std::span<const StoredTensor> tensors,
                                     std::map<std::string, std::string> metadata = {});

}  // namespace fathom
