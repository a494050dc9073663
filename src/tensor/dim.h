// Named dimensions: they make the shape comments of an op's contract executable.
//
//   Dim N{"N"}, C{"C"};
//   expect("x", a.x, {N, C});      // binds N and C to x's shape
//   expect("w", a.w, {C});         // must agree
#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>

#include "tensor/tensor.h"

namespace fathom {

class Dim {
 public:
  explicit Dim(const char* name) : name_(name) {}
  Dim(const char* name, int64_t size) : name_(name), size_(size) {}

  // Binds on first sight; afterwards true only if the size is the same.
  bool match(int64_t size) {
    if (size_ < 0) size_ = size;
    return size_ == size;
  }
  int64_t size() const { return size_; }
  operator int64_t() const { return size_; }
  const char* name() const { return name_; }

 private:
  const char* name_;
  int64_t size_ = -1;
};

// Throws Error naming the field unless the tensor is present and has this shape.
void expect(const char* field, const ConstTensor& t, std::initializer_list<std::reference_wrapper<Dim>> dims);
// The same, and the dtype must match.
void expect(const char* field, const ConstTensor& t, std::initializer_list<std::reference_wrapper<Dim>> dims,
            DType dtype);

}  // namespace fathom
