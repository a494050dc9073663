#include "io/checkpoint.h"

#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <numeric>

#include "io/file.h"
#include "io/json.h"
#include "support/captured_log.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Five tensors of 16, 16, 40, 4 and 16 bytes.
struct Example {
  std::vector<float> values = std::vector<float>(23);
  std::vector<NamedTensor> tensors;

  Example() {
    std::iota(values.begin(), values.end(), 1.0f);
    int at = 0;
    for (const auto& [name, n] : {std::pair{"e", 4}, {"d", 4}, {"c", 10}, {"b", 1}, {"a", 4}}) {
      tensors.push_back({name, Tensor(values.data() + at, DType::f32, {n})});
      at += n;
    }
  }

  void expect_equal(const CheckpointReader& reader) const {
    EXPECT_THAT(reader.names(), ElementsAre("a", "b", "c", "d", "e"));
    EXPECT_EQ(reader.bytes(), 92);
    for (const NamedTensor& t : tensors) {
      const ConstTensor read = reader.tensor(t.name);
      EXPECT_EQ(read.shape_text(), t.tensor.shape_text());
      EXPECT_EQ(std::memcmp(read.data, t.tensor.data, read.bytes()), 0) << t.name;
    }
  }
};

std::vector<std::string> files_in(const std::string& dir) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(dir)) names.push_back(file.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Checkpoint, OneFileWhenItFits) {
  TempDir dir;
  const Example example;
  write_sharded(dir / "new/deep", example.tensors, 92);
  EXPECT_THAT(files_in(dir / "new/deep"), ElementsAre("model.safetensors"));
  example.expect_equal(CheckpointReader(dir / "new/deep"));
  example.expect_equal(CheckpointReader(dir / "new/deep/model.safetensors"));
  EXPECT_FALSE(CheckpointReader(dir / "new/deep").find("gone"));
  EXPECT_THAT(error_of([&] { CheckpointReader(dir / "new/deep").tensor("gone"); }),
              HasSubstr("'gone' is missing"));
}

TEST(Checkpoint, TellsWhetherTwoTensorsAreTheSame) {
  TempDir dir;
  std::vector<float> a(200'000, 2.0f), b = a;
  b.back() = 3;
  write_sharded(dir.path(),
                std::vector<NamedTensor>{{"a", Tensor(a.data(), DType::f32, {400, 500})},
                                         {"again", Tensor(a.data(), DType::f32, {400, 500})},
                                         {"flat", Tensor(a.data(), DType::f32, {200'000})},
                                         {"last", Tensor(b.data(), DType::f32, {400, 500})}},
                900'000);
  const CheckpointReader reader(dir.path());
  EXPECT_TRUE(reader.same("a", "again"));
  EXPECT_FALSE(reader.same("a", "flat"));
  EXPECT_FALSE(reader.same("a", "last"));
  EXPECT_THAT(error_of([&] { reader.same("a", "gone"); }), HasSubstr("'gone' is missing"));
}

TEST(Checkpoint, ShardsAndIndex) {
  TempDir dir;
  const Example example;
  write_sharded(dir.path(), example.tensors, 32);
  EXPECT_THAT(files_in(dir.path()),
              ElementsAre("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                          "model-00003-of-00003.safetensors", "model.safetensors.index.json"));
  const Json index = read_json(dir / "model.safetensors.index.json");
  EXPECT_EQ(index["metadata"]["total_size"], 92);
  EXPECT_EQ(index["weight_map"]["c"], "model-00002-of-00003.safetensors");
  example.expect_equal(CheckpointReader(dir.path()));
}

TEST(Checkpoint, ReplacesAnotherLayoutCompletely) {
  TempDir dir;
  const Example example;
  for (const int64_t size : {32, 1, 1000, 40, 1000}) {
    write_sharded(dir.path(), example.tensors, size);
    example.expect_equal(CheckpointReader(dir.path()));
    EXPECT_EQ(files_in(dir.path()).size(), size == 1000 ? 1u : size == 1 ? 6u : 4u) << size;
  }
}

TEST(Checkpoint, WriterRefusesBadInput) {
  TempDir dir;
  Example example;
  EXPECT_THAT(error_of([&] { write_sharded(dir.path(), example.tensors, 0); }),
              HasSubstr("must be positive"));
  example.tensors[4].name = "e";
  EXPECT_THAT(error_of([&] { write_sharded(dir.path(), example.tensors, 32); }),
              HasSubstr("two tensors named 'e'"));
  EXPECT_TRUE(files_in(dir.path()).empty());
  write_file(dir / "file", "");
  EXPECT_THAT(error_of([&] { write_sharded(dir / "file", example.tensors, 32); }), HasSubstr(dir / "file"));
}

TEST(Checkpoint, ErrorsOfDirectories) {
  TempDir dir;
  EXPECT_EQ(error_of([&] { CheckpointReader(dir / "gone"); }), dir / "gone: no such checkpoint");
  EXPECT_EQ(
      error_of([&] { CheckpointReader(dir.path()); }),
      dir.path() + ": no checkpoint: neither model.safetensors nor model.safetensors.index.json is there");
}

TEST(Checkpoint, ErrorsOfIndexes) {
  TempDir dir;
  const Example example;
  write_sharded(dir.path(), example.tensors, 32);
  const std::string index = dir / "model.safetensors.index.json", first = "model-00001-of-00003.safetensors";
  const auto error = [&](const std::string& content) {
    write_file(index, content);
    return error_of([&] { CheckpointReader(dir.path()); });
  };
  EXPECT_EQ(error(R"({"weight_map": {"e": ")" + first + "\"}}"),
            dir / first + ": tensor 'd' is not in model.safetensors.index.json");
  EXPECT_EQ(error(R"({"weight_map": {"zz": ")" + first + "\"}}"),
            dir / first + ": tensor 'zz', which the index places here, is missing");
  EXPECT_EQ(error(R"({"weight_map": {"e": "other.safetensors"}})"),
            index + ": shard 'other.safetensors' is missing");
  EXPECT_EQ(error(R"({"weight_map": {"e": ")" + first + R"(", "d": ")" + first + "\"}}"), "");
  EXPECT_EQ(error(R"({"weight_map": {"e": ")" + first + R"(", "e": ")" + first + "\"}}"),
            index + ": field 'weight_map.e' is given twice");
  EXPECT_EQ(error("{}"), index + ": field 'weight_map' is missing");
  EXPECT_EQ(error(R"({"weight_map": {"e": 3}})"), index + ": field 'weight_map.e' must be a string, got 3");
  EXPECT_EQ(error(R"({"weight_map": {"e": null}})"), index + ": field 'weight_map.e' is null");
  for (const std::string& bad :
       {"../" + first, dir / first, std::string(".."), std::string(""), "./" + first, std::string("a\\\\b")})
    EXPECT_THAT(error(R"({"weight_map": {"e": ")" + bad + "\"}}"),
                AllOf(HasSubstr(index), HasSubstr("is not a plain file name")))
        << bad;
}

TEST(Checkpoint, ATensorInTwoShardsIsNamedWithBoth) {
  TempDir dir;
  const Example example;
  const std::string first = "model-00001-of-00002.safetensors", second = "model-00002-of-00002.safetensors";
  write_safetensors(dir / first, std::span(example.tensors).first(2));
  write_safetensors(dir / second, std::span(example.tensors).subspan(1, 2));
  write_file(dir / "model.safetensors.index.json",
             fmt::format(R"({{"weight_map": {{"e": "{0}", "d": "{0}", "c": "{1}"}}}})", first, second));
  EXPECT_EQ(error_of([&] { CheckpointReader(dir.path()); }),
            dir / second + ": tensor 'd' is also in " + (dir / first));
}

TEST(Checkpoint, OfASingleFileAndAnIndexTheFileIsUsedAndThatIsSaid) {
  TempDir dir;
  const Example example;
  write_sharded(dir.path(), example.tensors, 32);
  write_safetensors(dir / "model.safetensors", std::span(example.tensors).first(1));
  const testing::CapturedLog log;
  for (int i = 0; i < 2; ++i) EXPECT_THAT(CheckpointReader(dir.path()).names(), ElementsAre("e"));
  EXPECT_EQ(
      log.text(),
      dir.path() + ": holds both model.safetensors and model.safetensors.index.json: the first is used\n");
}

TEST(Checkpoint, NamesTheFileOfATensor) {
  TempDir dir;
  const Example example;
  write_sharded(dir.path(), example.tensors, 32);
  const CheckpointReader sharded(dir.path());
  EXPECT_EQ(sharded.listing(), dir / "model.safetensors.index.json");
  EXPECT_EQ(sharded.file_of("c"), dir / "model-00002-of-00003.safetensors");
  EXPECT_EQ(sharded.file_of("gone"), sharded.listing());
  EXPECT_EQ(sharded.entry("c")->shape, std::vector<int64_t>{10});
  EXPECT_EQ(sharded.entry("gone"), nullptr);
  write_sharded(dir / "single", example.tensors, 1000);
  EXPECT_EQ(CheckpointReader(dir / "single").listing(), dir / "single/model.safetensors");
}

}  // namespace
}  // namespace fathom
