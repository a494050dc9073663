// What goes wrong with a checkpoint on one rank is an error on all of them, and nothing is left of it.
#include <memory>

#include "io/file.h"
#include "support/file_size_limit.h"
#include "support/tree.h"
#include "train/checkpoint_ranks.h"
#include "train/checksums.h"

namespace fathom::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST_F(CheckpointOfRanks, ADamagedTensorIsAnErrorOnAll) {
  const Case& c = cases()[1];
  const Content content(c.config, c.dtype);
  write(c, content, Deal::in_a_row, *this / "out");
  const std::string folder = step_in(*this / "out"), path = folder + "/optimizer.safetensors";
  for (const char* tensor : {"m.model.embed_tokens.weight", "master.lm_head.weight"}) {
    const std::string whole = read_file(path);
    std::string bytes = whole;
    ranks_.barrier();
    if (rank() == 0) {
      {
        const SafetensorsFile file(path);
        const auto* data = reinterpret_cast<const char*>(file.entry(tensor)->bytes.data());
        bytes[bytes.find(std::string(data, 64)) + 9] ^= 1;
      }
      write_file(path, bytes);
    }
    ranks_.barrier();
    EXPECT_THAT(common_error_of([&] { verify_checksums(ranks_, folder, 1); }),
                AllOf(HasSubstr(path), HasSubstr(tensor), HasSubstr("damaged")));
    if (rank() == 0) write_file(path, whole);
    ranks_.barrier();
  }
  verify_checksums(ranks_, folder, 1);
}

TEST_F(CheckpointOfRanks, ATensorThatIsNotWrittenOnceIsAnErrorOnAll) {
  const Case& c = cases()[0];
  const Content content(c.config, c.dtype);
  const auto error_with = [&](const std::function<void(std::vector<TensorSlice>&)>& change) {
    std::vector<TensorSlice> slices = dealt(content.all(), Deal::each_tensor, rank(), size());
    if (rank() == last()) change(slices);
    const std::string error = common_error_of([&] {
      CheckpointWriter(ranks_, device_,
                       checkpoint_content(recipe_for(*this / "out", c.dtype), state_,
                                          {.config = c.config, .dtype = c.dtype}),
                       slices)
          .finish();
    });
    EXPECT_FALSE(fs::exists(*this / "out"));
    ranks_.barrier();
    return error;
  };
  const int64_t n = content.weights[0].values.count(), begin = n * last() / size();
  EXPECT_THAT(error_with([](auto& slices) { slices.erase(slices.begin()); }),
              HasSubstr(fmt::format("'{}' of {} elements: no rank writes {} to {}", content.weights[0].name,
                                    n, begin, n - 1)));
  EXPECT_THAT(error_with([](auto& slices) {
                slices[1].first += 1;
                slices[1].values = slices[1].values.slice(0, slices[1].values.count() - 1);
              }),
              HasSubstr(content.weights[1].name + "' of"));
  EXPECT_THAT(error_with([](auto& slices) { slices.push_back(slices.back()); }),
              AllOf(HasSubstr(content.state.back().name), HasSubstr("both write element")));
  EXPECT_THAT(error_with([](auto& slices) { slices[2].name = "gone"; }), HasSubstr("'gone'"));
  EXPECT_THAT(error_with([](auto& slices) { slices[0].first += 1; }), HasSubstr("has 1007 elements"));
}

// One rank's disk is full: nothing of the new checkpoint is there, and the one before it is untouched.
TEST_F(CheckpointOfRanks, AFullDiskOnOneRankIsAnErrorOnAll) {
  const Case& c = cases()[0];
  const Content content(c.config, c.dtype);
  const std::string output = *this / "out";
  write(c, content, Deal::each_tensor, output);
  const Tree before = tree_of(output);
  ranks_.barrier();
  for (const bool beside : {false, true}) {
    RunState state = state_;
    state.step = 8;
    CheckpointWriter writer(
        ranks_, device_,
        checkpoint_content(recipe_for(output, c.dtype), state, {.config = c.config, .dtype = c.dtype}),
        dealt(content.all(), Deal::each_tensor, rank(), size()));
    std::unique_ptr<FileSizeLimit> full;
    if (rank() == last()) full = std::make_unique<FileSizeLimit>(20'000);
    const std::string error = common_error_of([&] {
      if (beside) writer.start();
      writer.finish();
    });
    EXPECT_THAT(error, AllOf(HasSubstr("safetensors: cannot write: File too large"),
                             HasSubstr(size() > 1 ? fmt::format("rank {} on ", last()) : "")));
    EXPECT_TRUE(tree_of(output) == before) << names_of(tree_of(output));
    ranks_.barrier();
  }
}

// The room for all files is asked for before anything is written.
TEST_F(CheckpointOfRanks, TooLittleRoomIsAnErrorOnAll) {
  const int64_t n = int64_t{1} << 50;
  float nothing = 0;
  const ConstTensor values(&nothing, DType::f32, {n});  // is never read
  const FolderContent content = {.destination = *this / "out",
                                 .names = {"large"},
                                 .files = {{"large", {{"x", DType::f32, {n}}}}},
                                 .write_others = [](const std::string&, const FileChecksums&) {}};
  EXPECT_THAT(
      common_error_of([&] {
        CheckpointWriter(ranks_, device_, content, dealt({{"x", 0, values}}, Deal::in_a_row, rank(), size()));
      }),
      HasSubstr("large: cannot write: "));
  EXPECT_FALSE(fs::exists(*this / "out"));
}

}  // namespace
}  // namespace fathom::testing
