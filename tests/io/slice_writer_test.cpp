// Tensors written in slices: the same bytes and hashes as whole ones.
#include "io/slice_writer.h"

#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <numeric>

#include "io/checkpoint.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(ContentHash, GoesOnFromAState) {
  std::string text(5000, '\0');
  std::iota(text.begin(), text.end(), 'a');
  for (const size_t cut : {0, 1, 64, 255, 256, 257, 1024, 3000, 5000}) {
    ContentHash begun;
    begun.add(text.substr(0, cut));
    ContentHash other(begun.state());
    other.add(text.substr(cut));
    EXPECT_EQ(other.digest(), content_hash(bytes_of(text))) << cut;
    EXPECT_EQ(begun.digest(), content_hash(bytes_of(text.substr(0, cut)))) << cut;
  }
}

// One tensor larger than what is written at a time, between small ones of another type.
class SliceWriterTest : public ::testing::Test {
 protected:
  SliceWriterTest() {
    std::iota(large_.begin(), large_.end(), 0.5f);
    for (size_t i = 0; i < small_.size(); ++i) small_[i] = bf16(static_cast<float>(i));
    tensors_ = {{"first", Tensor(small_.data(), DType::bf16, {7})},
                {"large", Tensor(large_.data(), DType::f32, {1000, 3001})},
                {"last", Tensor(small_.data(), DType::bf16, {20, 5})}};
    for (const NamedTensor& t : tensors_) file_.tensors.push_back(stored_tensor("", t));
    write_safetensors(dir_ / "whole", tensors_);
  }
  TensorSlice slice(int tensor, int64_t first, int64_t end) const {
    const ConstTensor flat = tensors_[tensor].tensor.reshape({tensors_[tensor].tensor.count()});
    return {tensors_[tensor].name, first, flat.slice(first, end - first)};
  }
  std::string hash_of(int tensor) const {
    const ConstTensor& t = tensors_[tensor].tensor;
    return content_hash({static_cast<const std::byte*>(t.data), static_cast<size_t>(t.bytes())});
  }

  TempDir dir_;
  std::vector<float> large_ = std::vector<float>(3'001'000);
  std::vector<bf16> small_ = std::vector<bf16>(100);
  std::vector<NamedTensor> tensors_;
  TensorFile file_{"slices", {}};
  const Device host_ = Device::cpu(1);
};

TEST_F(SliceWriterTest, WritesWholeTensors) {
  const FileChecksums checksums =
      write_tensors(host_, dir_.path(), {file_}, {slice(2, 0, 100), slice(1, 0, 3'001'000), slice(0, 0, 7)});
  EXPECT_EQ(read_file(dir_ / "slices"), read_file(dir_ / "whole"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(checksums.at("slices").at(tensors_[i].name), hash_of(i));
}

TEST_F(SliceWriterTest, WritersTakeTurns) {
  TensorFiles first_files(dir_.path(), {file_}), second_files(dir_.path(), {file_});
  SliceWriter first(host_, first_files,
                    {slice(1, 2'500'000, 3'001'000), slice(1, 0, 1'234'567), slice(2, 0, 3)}),
      second(host_, second_files, {slice(0, 0, 7), slice(2, 3, 100), slice(1, 1'234'567, 2'500'000)});
  first_files.create();
  second.write(), first.write();
  EXPECT_EQ(read_file(dir_ / "slices"), read_file(dir_ / "whole"));
  // "large" comes first in the file: its element type is wider.
  EXPECT_EQ(second.hashes()[1].text(), hash_of(0));
  EXPECT_EQ(second.hashes()[0].high, 0u);
  const auto& a = first.pieces();
  const auto& b = second.pieces();
  const ContentHash begun = first.hash_up_to(a[0], {}), middle = second.hash_up_to(b[0], begun.state());
  EXPECT_EQ(first.hash_up_to(a[1], middle.state()).digest(), hash_of(1));
}

TEST_F(SliceWriterTest, RefusesWhatHasNoPlace) {
  TensorFiles files(dir_.path(), {file_});
  const auto error = [&](const TensorSlice& s) { return error_of([&] { SliceWriter(host_, files, {s}); }); };
  TensorSlice wrong = slice(0, 0, 7);
  wrong.name = "gone";
  EXPECT_THAT(error(wrong), HasSubstr("tensor 'gone' is in none of the files"));
  wrong.name = "large";
  EXPECT_THAT(error(wrong), HasSubstr("'large': a slice of it is bf16, to be stored as f32"));
  wrong = slice(2, 0, 100);
  wrong.first = 1;
  EXPECT_THAT(error(wrong), HasSubstr("'last': has 100 elements, and a slice of it goes from 1 to 101"));
  EXPECT_THAT(error_of([&] {
                TensorFiles(dir_.path(), {file_, {"other", file_.tensors}});
              }),
              HasSubstr("two tensors named"));
}

}  // namespace
}  // namespace fathom
