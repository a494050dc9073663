// Element conversion between checkpoints and the types that weights are stored in.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "tensor/tensor.h"

namespace fathom {

// to = from, converting between float types (round to nearest, ties to even); i32 only to i32. Both may be
// strided. Error naming the tensor and both shapes when they differ.
void copy_tensor(const ConstTensor& from, const Tensor& to, const std::string& name);

// Delivers bytes offset .. offset + to.size() - 1 of a contiguous tensor. 0, or an errno. Called by several
// threads at once; must not throw.
using ReadBytes = std::function<int(uint64_t offset, std::span<std::byte> to)>;

// The same as copy_tensor from a contiguous tensor whose elements come from read(), piece by piece, so that
// there is never a whole copy of them. Of `from` only type and shape are looked at. 0, or the errno of the
// first read that failed.
int read_tensor(const ReadBytes& read, const ConstTensor& from, const Tensor& to, const std::string& name);

}  // namespace fathom
