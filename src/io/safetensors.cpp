// Reading safetensors strictly: nothing in the header is believed before it is checked against the file's
// size.
#include "io/safetensors.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <system_error>

#include "base/error.h"
#include "io/copy_tensor.h"
#include "io/json.h"

namespace fathom {
namespace {

constexpr uint64_t largest_header = 100'000'000;  // the format's own limit

struct ElementType {
  const char* name;
  int64_t size;
  std::optional<DType> dtype;  // empty: Tensor has no such type
};

constexpr ElementType element_types[] = {
    {"F64", 8, DType::f64}, {"F32", 4, DType::f32}, {"BF16", 2, DType::bf16},
    {"F16", 2, DType::f16}, {"I32", 4, DType::i32}, {"I64", 8, {}},
    {"U64", 8, {}},         {"U32", 4, {}},         {"I16", 2, {}},
    {"U16", 2, {}},         {"I8", 1, {}},          {"U8", 1, {}},
    {"BOOL", 1, {}},        {"F8_E4M3", 1, {}},     {"F8_E5M2", 1, {}},
    {"F8_E8M0", 1, {}},
};

// Null for types this table does not know; their tensors are listed, but their size cannot be checked.
const ElementType* element_type(std::string_view name) {
  for (const ElementType& type : element_types)
    if (name == type.name) return &type;
  return nullptr;
}

// Product of the dimensions with zeros counted as ones, so that no loop over rows can run away either; times
// `size`.
int64_t checked_bytes(const std::vector<int64_t>& shape, int64_t size, const std::string& where) {
  int64_t product = size;
  bool empty = false;
  for (const int64_t dim : shape) {
    empty |= dim == 0;
    const bool overflow = __builtin_mul_overflow(product, std::max<int64_t>(dim, 1), &product);
    check(!overflow, "{}: the shape is too large", where);
  }
  return empty ? 0 : product;
}

// Empty where no Tensor can show it.
ConstTensor view_of(const SafetensorsEntry& entry) {
  const ElementType* type = element_type(entry.dtype);
  if (!type || !type->dtype || entry.shape.size() > Tensor::max_rank) return {};
  ConstTensor view(entry.bytes.data(), *type->dtype, {1});
  view.rank = std::max<int>(1, static_cast<int>(entry.shape.size()));
  std::copy(entry.shape.begin(), entry.shape.end(), view.shape.begin());
  view.row_stride = view.cols();
  return view;
}

// Of a mapped file or of memory.
ReadBytes reader_of(const std::optional<MappedFile>& file, const SafetensorsEntry& entry) {
  const std::byte* data = entry.bytes.data();
  if (!file)
    return [data](uint64_t offset, std::span<std::byte> to) {
      std::memcpy(to.data(), data + offset, to.size());
      return 0;
    };
  return [&file, begin = static_cast<uint64_t>(data - file->bytes().data())](
             uint64_t offset, std::span<std::byte> to) { return file->read(begin + offset, to); };
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path), file_(path) {
  read_header(file_->bytes());
}

SafetensorsFile SafetensorsFile::parse(std::string name, std::span<const std::byte> bytes) {
  SafetensorsFile file;
  file.path_ = std::move(name);
  file.read_header(bytes);
  return file;
}

void SafetensorsFile::read_header(std::span<const std::byte> bytes) {
  check(bytes.size() >= 8, "{}: not a safetensors file: only {} bytes", path_, bytes.size());
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<uint64_t>(bytes[i]);
  check(length <= largest_header, "{}: not a safetensors file: header of {} bytes", path_, length);
  check(length <= bytes.size() - 8, "{}: truncated: header of {} bytes in a file of {}", path_, length,
        bytes.size());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  const std::span<const std::byte> data = bytes.subspan(8 + length);
  const std::string where = path_ + ": header";
  check(text.starts_with('{'), "{}: must begin with '{{'", where);
  const Json header = parse_json(text, where);

  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      const JsonObject fields(value, where + ": __metadata__");
      for (const auto& [key, field] : value.items()) metadata_[key] = fields.required<std::string>(key);
      continue;
    }
    const JsonObject fields(value, fmt::format("{}: tensor '{}'", path_, name));
    SafetensorsEntry entry{.name = name,
                           .dtype = fields.required<std::string>("dtype"),
                           .shape = fields.required<std::vector<int64_t>>("shape"),
                           .bytes = {},
                           .view = {}};
    for (const int64_t dim : entry.shape) check(dim >= 0, "{}: negative dimension {}", fields.where(), dim);
    const auto offsets = fields.required<std::vector<uint64_t>>("data_offsets");
    check(offsets.size() == 2, "{}: data_offsets must be [begin, end]", fields.where());
    const auto [begin, end] = std::pair(offsets[0], offsets[1]);
    check(begin <= end, "{}: data_offsets begin at {} but end at {}", fields.where(), begin, end);
    check(end <= data.size(), "{}: data ends at {} but the file has only {} bytes of data", fields.where(),
          end, data.size());
    const ElementType* type = element_type(entry.dtype);
    const int64_t expected = checked_bytes(entry.shape, type ? type->size : 1, fields.where());
    check(!type || static_cast<uint64_t>(expected) == end - begin,
          "{}: {} bytes of data, but its shape needs {}", fields.where(), end - begin, expected);
    entry.bytes = data.subspan(begin, end - begin);
    entries_.push_back(std::move(entry));
  }
  check_layout(data.size());
  for (size_t i = 0; i < entries_.size(); ++i) {
    entries_[i].view = view_of(entries_[i]);
    index_.emplace(entries_[i].name, i);
  }
}

// The format wants the data covered completely, without overlaps or holes.
void SafetensorsFile::check_layout(size_t data_size) {
  std::stable_sort(
      entries_.begin(), entries_.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
        return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
      });
  size_t covered = 0;
  const std::byte* at = entries_.empty() ? nullptr : entries_.front().bytes.data();
  for (const SafetensorsEntry& entry : entries_) {
    check(entry.bytes.data() >= at, "{}: tensor '{}' overlaps the one before it", path_, entry.name);
    at = entry.bytes.data() + entry.bytes.size();
    covered += entry.bytes.size();
  }
  check(covered == data_size, "{}: its tensors cover {} bytes, but the file holds {} bytes of data", path_,
        covered, data_size);
}

const SafetensorsEntry* SafetensorsFile::entry(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

// Null if there is none of this name.
const SafetensorsEntry* SafetensorsFile::supported(std::string_view name) const {
  const SafetensorsEntry* found = entry(name);
  check(!found || found->view, "{}: tensor '{}' of type {} and rank {} is not supported", path_, name,
        found ? found->dtype : "", found ? found->shape.size() : 0);
  return found;
}

ConstTensor SafetensorsFile::find(std::string_view name) const {
  const SafetensorsEntry* found = supported(name);
  if (!found) return {};
  ConstTensor view = found->view;
  if (reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(size_of(view.dtype)) == 0) return view;
  // Headers of other writers need not be padded; such data is copied, so that typed access stays lawful.
  std::unique_ptr<std::byte[]>& copy = realigned_[found];
  if (!copy) {
    copy = std::make_unique<std::byte[]>(std::max<size_t>(found->bytes.size(), 1));
    std::copy(found->bytes.begin(), found->bytes.end(), copy.get());
  }
  view.data = copy.get();
  return view;
}

void SafetensorsFile::check_read(int error, std::string_view name) const {
  check(error == 0, "{}: cannot read tensor '{}': {}", path_, name,
        error == ENODATA ? "the file has become shorter" : std::generic_category().message(error));
}

void SafetensorsFile::read(std::string_view name, const Tensor& to) const {
  const SafetensorsEntry* found = supported(name);
  check(found, "{}: tensor '{}' is missing", path_, name);
  check_read(read_tensor(reader_of(file_, *found), found->view, to, path_ + ": " + std::string(name)), name);
}

void SafetensorsFile::read_elements(std::string_view name, int64_t first, const Tensor& to) const {
  const SafetensorsEntry* found = supported(name);
  check(found, "{}: tensor '{}' is missing", path_, name);
  const int64_t n = to.count();
  check(0 <= first && n <= found->view.count() - first, "{}: tensor '{}' has {} elements, not {}", path_,
        name, found->view.count(), first + n);
  const ReadBytes whole = reader_of(file_, *found);
  const auto skipped = static_cast<uint64_t>(first * size_of(found->view.dtype));
  const auto read = [&](uint64_t offset, std::span<std::byte> bytes) {
    return whole(skipped + offset, bytes);
  };
  const ConstTensor from(found->view.data, found->view.dtype, {n});
  check_read(read_tensor(read, from, to.reshape({n}), path_ + ": " + std::string(name)), name);
}

void SafetensorsFile::read_bytes(const SafetensorsEntry& entry, uint64_t offset,
                                 std::span<std::byte> to) const {
  check_read(reader_of(file_, entry)(offset, to), entry.name);
}

ConstTensor SafetensorsFile::tensor(std::string_view name) const {
  const ConstTensor found = find(name);
  check(static_cast<bool>(found), "{}: tensor '{}' is missing", path_, name);
  return found;
}

std::vector<int32_t> SafetensorsFile::read_ints(std::string_view name) const {
  const SafetensorsEntry* found = entry(name);
  check(found, "{}: tensor '{}' is missing", path_, name);
  const bool wide = found->dtype == "I64";
  check(wide || found->dtype == "I32", "{}: tensor '{}' must hold I32 or I64, got {}", path_, name,
        found->dtype);
  std::vector<int32_t> values(found->bytes.size() / (wide ? 8 : 4));
  for (size_t i = 0; i < values.size(); ++i) {
    if (!wide) {
      std::memcpy(&values[i], found->bytes.data() + 4 * i, 4);
      continue;
    }
    int64_t value;
    std::memcpy(&value, found->bytes.data() + 8 * i, 8);
    check(value == static_cast<int32_t>(value), "{}: tensor '{}': value {} does not fit 32 bits", path_, name,
          value);
    values[i] = static_cast<int32_t>(value);
  }
  return values;
}

}  // namespace fathom
