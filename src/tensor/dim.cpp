#include "tensor/dim.h"

namespace fathom {
namespace {

std::string expected(std::initializer_list<std::reference_wrapper<Dim>> dims) {
  std::string text = "[";
  for (const Dim& d : dims) {
    if (text.size() > 1) text += ", ";
    text += d.name();
    if (d.size() >= 0) text += "=" + std::to_string(d.size());
  }
  return text + "]";
}

}  // namespace

void expect(const char* field, const ConstTensor& t,
            std::initializer_list<std::reference_wrapper<Dim>> dims) {
  check(static_cast<bool>(t) || t.count() == 0, "{} is missing, expected {}", field, expected(dims));
  bool same = t.rank == static_cast<int>(dims.size());
  int i = 0;
  for (Dim& d : dims) same = same && d.match(t.shape[i++]);
  check(same, "{} has shape {}, expected {}", field, t.shape_text(), expected(dims));
}

void expect(const char* field, const ConstTensor& t, std::initializer_list<std::reference_wrapper<Dim>> dims,
            DType dtype) {
  expect(field, t, dims);
  check(t.dtype == dtype, "{} is {}, expected {}", field, name_of(t.dtype), name_of(dtype));
}

}  // namespace fathom
