#include "io/safetensors.h"

#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <numeric>

#include "io/copy_tensor.h"
#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// A file with this header and `data_size` bytes 0, 1, 2, ... behind it.
std::string raw_file(const std::string& header, size_t data_size) {
  std::string file(8, '\0');
  for (int i = 0; i < 8; ++i) file[i] = static_cast<char>(header.size() >> 8 * i);
  file += header;
  for (size_t i = 0; i < data_size; ++i) file += static_cast<char>(i);
  return file;
}

SafetensorsFile parse(const std::string& file) {
  return SafetensorsFile::parse("f", std::as_bytes(std::span(file)));
}

std::string header_error(const std::string& header, size_t data_size = 8) {
  const std::string file = raw_file(header, data_size);
  return error_of([&] { parse(file); });
}

// The error of one tensor "a" with these parts in a file of 8 bytes of data.
std::string tensor_error(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return header_error(R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
                      offsets + "}}");
}

TEST(Safetensors, RoundTrip) {
  TempDir dir;
  std::vector<float> f(24);
  std::iota(f.begin(), f.end(), 0.5f);
  std::vector<bf16> h(3, bf16(1.5f));
  std::vector<double> d = {1e300};
  std::vector<int32_t> ids = {7, -1};
  const std::vector<NamedTensor> tensors = {
      {"half", Tensor(h.data(), DType::bf16, {3})},
      {"cube", Tensor(f.data(), DType::f32, {2, 3, 4})},
      {"ids \"q\" \xc3\xa9", Tensor(ids.data(), DType::i32, {2, 1, 1, 1})},
      {"double", Tensor(d.data(), DType::f64, {1})},
      {"none", Tensor(f.data(), DType::f32, {0, 5})},
      {"half2", Tensor(h.data(), DType::f16, {1, 3})},
  };
  write_safetensors(dir / "m.safetensors", tensors, {{"step", "12"}});
  const SafetensorsFile file(dir / "m.safetensors");
  EXPECT_THAT(file.metadata(), ElementsAre(Pair("format", "pt"), Pair("step", "12")));
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const NamedTensor& t : tensors) {
    const ConstTensor read = file.tensor(t.name);
    EXPECT_EQ(read.shape_text(), t.tensor.shape_text());
    EXPECT_EQ(std::memcmp(read.data, t.tensor.data, read.bytes()), 0) << t.name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read.data) % size_of(read.dtype), 0u);
  }
  // Wider element types first, otherwise as given.
  std::vector<std::string> order;
  for (const SafetensorsEntry& entry : file.tensors()) order.push_back(entry.name);
  EXPECT_THAT(order, ElementsAre("double", testing::_, testing::_, testing::_, "half", "half2"));
  EXPECT_FALSE(file.find("gone"));
  EXPECT_EQ(file.entry("gone"), nullptr);
  EXPECT_EQ(error_of([&] { file.tensor("gone"); }), dir / "m.safetensors: tensor 'gone' is missing");
}

TEST(Safetensors, WritingIsDeterministicAndAligned) {
  TempDir dir;
  std::vector<float> f(6, 1.0f);
  const std::vector<NamedTensor> tensors = {{"a", Tensor(f.data(), DType::f32, {2, 3})}};
  write_safetensors(dir / "a", tensors);
  write_safetensors(dir / "b", tensors);
  const std::string content = read_file(dir / "a");
  EXPECT_EQ(content, read_file(dir / "b"));
  const size_t header = static_cast<unsigned char>(content[0]);
  EXPECT_EQ(header % 8, 0u);
  EXPECT_EQ(content.size(), 8 + header + 24);
  EXPECT_THAT(
      content.substr(8, header),
      HasSubstr(
          R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})"));
}

TEST(Safetensors, WritesStridedRows) {
  TempDir dir;
  std::vector<float> f(24);
  std::iota(f.begin(), f.end(), 0.0f);
  const Tensor right = Tensor(f.data(), DType::f32, {4, 6}).columns(4, 2);
  write_safetensors(dir / "a", std::vector<NamedTensor>{{"right", right}});
  const SafetensorsFile file(dir / "a");
  const ConstTensor read = file.tensor("right");
  const std::vector<float> values(read.as<float>(), read.as<float>() + read.count());
  EXPECT_THAT(values, ElementsAre(4, 5, 10, 11, 16, 17, 22, 23));
}

TEST(Safetensors, WriterRefusesBadLists) {
  TempDir dir;
  float x = 1;
  const Tensor t(&x, DType::f32, {1});
  const auto error = [&](const std::vector<NamedTensor>& tensors) {
    const std::string text = error_of([&] { write_safetensors(dir / "a", tensors); });
    EXPECT_FALSE(std::filesystem::exists(dir / "a"));
    return text;
  };
  EXPECT_THAT(error({{"x", t}, {"x", t}}), HasSubstr("two tensors named 'x'"));
  EXPECT_THAT(error({{"__metadata__", t}}), HasSubstr("'__metadata__'"));
  EXPECT_THAT(error({{"x", Tensor()}}), HasSubstr("tensor 'x': it is empty"));
  EXPECT_THAT(error({{"\xff", t}}), HasSubstr("not valid UTF-8"));
}

TEST(Safetensors, EmptyFileHasNoTensors) {
  TempDir dir;
  write_safetensors(dir / "a", {});
  EXPECT_TRUE(SafetensorsFile(dir / "a").tensors().empty());
  EXPECT_TRUE(parse(raw_file("{}", 0)).tensors().empty());
}

TEST(Safetensors, RefusesBadHeaders) {
  EXPECT_THAT(error_of([] { parse("1234567"); }), HasSubstr("only 7 bytes"));
  EXPECT_THAT(error_of([] { parse(std::string(8, '\xff')); }),
              HasSubstr("header of 18446744073709551615 bytes"));
  EXPECT_THAT(error_of([] { parse(raw_file("{}", 0).substr(0, 9)); }), HasSubstr("truncated"));
  for (const char* bad :
       {"", "{", "[]", "{\"a\":1}", "{\"a\":{}}", "{\"__metadata__\":[]}", "{\"__metadata__\":{\"a\":1}}"})
    EXPECT_THAT(header_error(bad), testing::StartsWith("f: ")) << bad;
  EXPECT_THAT(header_error("{\"a\":" + std::string(100'000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(header_error("{}", 1), HasSubstr("its tensors cover 0 bytes, but the file holds 1"));
}

TEST(Safetensors, TheHeaderIsOneObjectAndNothingElse) {
  using namespace std::string_literals;
  const std::string one = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  EXPECT_EQ(header_error(one + "   ", 4), "");
  EXPECT_THAT(header_error(one + "\0"s, 4), HasSubstr("a NUL byte"));
  EXPECT_THAT(header_error(one + "\0{\"b\":{}}"s, 4), HasSubstr("a NUL byte"));
  EXPECT_THAT(header_error(one + "{}", 4), HasSubstr("not valid JSON"));
  EXPECT_THAT(header_error(" " + one, 4), HasSubstr("must begin with '{'"));
  EXPECT_THAT(header_error("\xEF\xBB\xBF" + one, 4), HasSubstr("must begin with '{'"));
}

TEST(Safetensors, ATensorGivenTwiceIsNamed) {
  const std::string a = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  const std::string elsewhere = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]})";
  EXPECT_EQ(header_error("{" + a + "," + a + "}", 4), "f: header: field 'a' is given twice");
  EXPECT_EQ(header_error("{" + a + "," + elsewhere + "}", 8), "f: header: field 'a' is given twice");
  EXPECT_EQ(header_error(R"({"a":{"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]}})", 4),
            "f: header: field 'a.dtype' is given twice");
}

TEST(Safetensors, RefusesBadTensors) {
  EXPECT_EQ(tensor_error("F32", "[2]", "[0,8]"), "");
  EXPECT_EQ(tensor_error("F32", "[2]", "[0,16]"),
            "f: tensor 'a': data ends at 16 but the file has only 8 bytes of data");
  EXPECT_EQ(tensor_error("F32", "[2]", "[8,0]"), "f: tensor 'a': data_offsets begin at 8 but end at 0");
  EXPECT_EQ(tensor_error("F32", "[3]", "[0,8]"), "f: tensor 'a': 8 bytes of data, but its shape needs 12");
  EXPECT_THAT(tensor_error("F32", "[-2]", "[0,8]"), HasSubstr("negative dimension -2"));
  EXPECT_THAT(tensor_error("F32", "[2]", "[-8,0]"), HasSubstr("'data_offsets[0]' must be between"));
  EXPECT_THAT(tensor_error("F32", "[2]", "[0,18446744073709551615]"), HasSubstr("data ends at"));
  EXPECT_THAT(tensor_error("F32", "[2]", "[0]"), HasSubstr("must be [begin, end]"));
  EXPECT_THAT(tensor_error("F32", "[2]", "[0,8,16]"), HasSubstr("must be [begin, end]"));
  EXPECT_THAT(tensor_error("F32", "[4294967296,4294967296]", "[0,8]"), HasSubstr("shape is too large"));
  EXPECT_THAT(tensor_error("F32", "[0,4294967296,4294967296]", "[0,0]"), HasSubstr("shape is too large"));
  EXPECT_THAT(tensor_error("F32", "[2305843009213693953]", "[0,4]"), HasSubstr("shape is too large"));
  EXPECT_THAT(tensor_error("F32", "[9223372036854775808]", "[0,8]"), HasSubstr("'shape[0]' must be between"));
  EXPECT_THAT(tensor_error("F32", "2", "[0,8]"), HasSubstr("'shape' must be a list"));
  EXPECT_THAT(tensor_error("F32", "[1]", "[4,8]"), HasSubstr("cover 4 bytes"));
}

TEST(Safetensors, RefusesOverlapsAndHoles) {
  const auto two = [](const std::string& first, const std::string& second) {
    return header_error(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
                        R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}");
  };
  EXPECT_EQ(two("[4,8]", "[0,4]"), "");
  EXPECT_EQ(two("[0,4]", "[2,6]"), "f: tensor 'b' overlaps the one before it");
  EXPECT_EQ(two("[4,8]", "[4,8]"), "f: tensor 'b' overlaps the one before it");
}

TEST(Safetensors, ListsWhatItCannotShow) {
  const std::string file = raw_file(R"({"new":{"dtype":"F4_X","shape":[4],"data_offsets":[0,2]},)"
                                    R"("bytes":{"dtype":"U8","shape":[2],"data_offsets":[2,4]},)"
                                    R"("deep":{"dtype":"F32","shape":[1,1,1,1,1],"data_offsets":[4,8]},)"
                                    R"("scalar":{"dtype":"I32","shape":[],"data_offsets":[8,12]}})",
                                    12);
  const SafetensorsFile parsed = parse(file);
  EXPECT_EQ(parsed.tensors().size(), 4u);
  EXPECT_EQ(error_of([&] { parsed.find("new"); }),
            "f: tensor 'new' of type F4_X and rank 1 is not supported");
  EXPECT_THAT(error_of([&] { parsed.tensor("bytes"); }), HasSubstr("type U8"));
  EXPECT_THAT(error_of([&] { parsed.find("deep"); }), HasSubstr("rank 5"));
  EXPECT_EQ(parsed.tensor("scalar").shape_text(), "[1] i32");
  EXPECT_EQ(parsed.tensor("scalar").as<int32_t>()[0], 0x0b0a0908);
}

TEST(Safetensors, UnalignedDataIsStillReadable) {
  // The header is padded by one space at a time, so that the data begins at every residue.
  for (int pad = 0; pad < 8; ++pad) {
    const std::string file =
        raw_file(R"({"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})" + std::string(pad, ' '), 8);
    SafetensorsFile parsed = parse(file);
    const SafetensorsFile moved = std::move(parsed);
    const ConstTensor a = moved.tensor("a");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data) % 4, 0u);
    EXPECT_EQ(a.as<int32_t>()[1], 0x07060504);
  }
}

// read() gives what copying the view gives: of a file or of memory, aligned or not, converted, into columns
// of wider rows, and of more elements than it reads at once.
TEST(Safetensors, ReadsInPiecesWhatTheViewHolds) {
  const TempDir dir;
  const int64_t rows = 3, cols = 70'001;
  std::vector<float> values(static_cast<size_t>(rows * cols));
  std::iota(values.begin(), values.end(), -1000.25f);
  write_safetensors(dir / "a",
                    std::vector<NamedTensor>{{"w", Tensor(values.data(), DType::f32, {rows, cols})}});
  std::string unaligned = read_file(dir / "a");
  uint64_t header = 0;
  std::memcpy(&header, unaligned.data(), 8);
  unaligned.insert(8 + header++, " ");
  std::memcpy(unaligned.data(), &header, 8);
  write_file(dir / "b", unaligned);
  for (const bool mapped : {true, false})
    for (const char* name : {"a", "b"}) {
      const std::string content = read_file(dir / name);
      const SafetensorsFile file = mapped ? SafetensorsFile(dir / name) : parse(content);
      for (const DType dtype : {DType::f32, DType::bf16, DType::f64}) {
        std::vector<double> got(static_cast<size_t>(rows * (cols + 5))), want(got.size());
        const auto columns = [&](std::vector<double>& memory) {
          return Tensor(memory.data(), dtype, {rows, cols + 5}).columns(2, cols);
        };
        file.read("w", columns(got));
        copy_tensor(file.tensor("w"), columns(want), "w");
        EXPECT_TRUE(std::memcmp(got.data(), want.data(), got.size() * sizeof(double)) == 0) << name;
      }
    }
  const SafetensorsFile file(dir / "a");
  EXPECT_THAT(error_of([&] { file.read("gone", Tensor(values.data(), DType::f32, {1})); }),
              HasSubstr("a: tensor 'gone' is missing"));
  EXPECT_THAT(
      error_of([&] {
        file.read("w", Tensor(values.data(), DType::f32, {cols, rows}));
      }),
      AllOf(HasSubstr(dir / "a"), HasSubstr("shape [3, 70001] f32 where [70001, 3] f32 is expected")));
}

TEST(Safetensors, AFileThatBecomesShorterWhileItIsReadIsAnError) {
  const TempDir dir;
  std::vector<float> values(5000, 1.5f);
  write_safetensors(dir / "a", std::vector<NamedTensor>{{"w", Tensor(values.data(), DType::f32, {5000})}});
  const SafetensorsFile file(dir / "a");
  std::filesystem::resize_file(dir / "a", 4096);
  EXPECT_EQ(error_of([&] { file.read("w", Tensor(values.data(), DType::f32, {5000})); }),
            dir / "a: cannot read tensor 'w': the file has become shorter");
}

TEST(Safetensors, WritesTypesThatTensorLacks) {
  TempDir dir;
  std::vector<uint16_t> ids = {1, 65535, 2};
  const Tensor bits(ids.data(), DType::bf16, {3});
  write_safetensors(dir / "a", std::vector<NamedTensor>{{"tokens", bits, "U16"}});
  const SafetensorsFile file(dir / "a");
  const SafetensorsEntry* entry = file.entry("tokens");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->dtype, "U16");
  EXPECT_THAT(entry->shape, ElementsAre(3));
  EXPECT_EQ(std::memcmp(entry->bytes.data(), ids.data(), 6), 0);
  for (const char* wrong : {"U32", "U8", "u16"})
    EXPECT_THAT(error_of([&] {
                  write_safetensors(dir / "a", std::vector<NamedTensor>{{"tokens", bits, wrong}});
                }),
                HasSubstr(std::string("cannot write tensor 'tokens' of bf16 as '") + wrong));
}

TEST(Safetensors, ReadsInts) {
  const std::string header = R"({"wide":{"dtype":"I64","shape":[2,1],"data_offsets":[0,16]},)"
                             R"("ids":{"dtype":"I32","shape":[2],"data_offsets":[16,24]},)"
                             R"("f":{"dtype":"F32","shape":[1],"data_offsets":[24,28]}})";
  std::string file = raw_file(header, 28);
  const int64_t wide[2] = {-5, 2147483647};
  std::memcpy(file.data() + file.size() - 28, wide, 16);
  const SafetensorsFile parsed = parse(file);
  EXPECT_THAT(parsed.read_ints("wide"), ElementsAre(-5, 2147483647));
  EXPECT_THAT(parsed.read_ints("ids"), ElementsAre(0x13121110, 0x17161514));
  EXPECT_THAT(error_of([&] { parsed.read_ints("f"); }), HasSubstr("must hold I32 or I64, got F32"));
  EXPECT_THAT(error_of([&] { parsed.read_ints("gone"); }), HasSubstr("'gone' is missing"));
  EXPECT_THAT(error_of([&] { parsed.find("wide"); }), HasSubstr("type I64"));
  const std::string large = raw_file(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8);
  EXPECT_THAT(error_of([&] { parse(large).read_ints("a"); }), HasSubstr("does not fit 32 bits"));
}

}  // namespace
}  // namespace fathom
