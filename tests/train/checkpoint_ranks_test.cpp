// Checkpoints written and read by all ranks of this program: one (train_test), or those of mpirun
// (checkpoint_ranks_test).
#include <cstring>
#include <map>

#include "io/content_hash.h"
#include "io/file.h"
#include "io/json.h"
#include "support/tree.h"
#include "train/checkpoint_ranks.h"
#include "train/checksums.h"
#include "train/output_folder.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

// `trainer.json` holds the recipe, which names the output.
Tree without_output(Tree tree, const std::string& output) {
  std::string& text = tree["trainer.json"];
  if (const size_t at = text.find(output); at != std::string::npos) text.erase(at, output.size());
  return tree;
}

TEST_F(CheckpointOfRanks, IsThatOfOneProcessByteForByte) {
  for (const Case& c : cases()) {
    const Content content(c.config, c.dtype);
    const std::string alone = *this / (std::string(c.name) + " alone");
    if (rank() == 0) write_alone(c, content, alone);
    for (const Deal deal : deals) {
      const std::string output = fmt::format("{}/{} {}", path_, c.name, static_cast<int>(deal));
      write(c, content, deal, output);
      if (rank() > 0) continue;
      EXPECT_TRUE(without_output(tree_of(step_in(output)), output) ==
                  without_output(tree_of(step_in(alone)), alone))
          << c.name << ", deal " << static_cast<int>(deal);
      expect_names(output, {"step-00000007"});
    }
  }
}

// What one process writes is what write_safetensors() does from the same memory, and the checksums are those
// of the tensors in memory.
TEST_F(CheckpointOfRanks, HoldsTheTensorsAndTheirHashes) {
  if (rank() > 0) return;
  for (const Case& c : cases()) {
    if (!c.config.is_mla()) continue;  // keys and values are no whole tensors in memory
    const Content content(c.config, c.dtype);
    write_alone(c, content, *this / c.name);
    const std::string folder = step_in(*this / c.name);
    const Json checksums = read_json(folder + "/" + checksums_file);
    const SafetensorsFile optimizer(folder + "/optimizer.safetensors");
    std::vector<NamedTensor> state;
    for (const TensorSlice& t : content.state) {
      state.push_back({t.name, t.values});
      const std::vector<int64_t> shape = optimizer.entry(t.name)->shape;
      if (shape.size() == 2) state.back().tensor = t.values.reshape({shape[0], shape[1]});
      const auto* bytes = static_cast<const std::byte*>(t.values.data);
      EXPECT_EQ(checksums["optimizer.safetensors"][t.name],
                content_hash({bytes, static_cast<size_t>(t.values.bytes())}));
    }
    write_safetensors(*this / "model", checkpoint_tensors(c.config, content.model.weights));
    write_safetensors(*this / "optimizer", state);
    EXPECT_EQ(read_file(folder + "/model.safetensors"), read_file(*this / "model"));
    EXPECT_EQ(read_file(folder + "/optimizer.safetensors"), read_file(*this / "optimizer"));
    EXPECT_EQ(checksums["model.safetensors"].size(), content.weights.size());
  }
}

// Zeros in the places of the slices, to be filled.
class Targets {
 public:
  explicit Targets(const std::vector<TensorSlice>& slices) : memory_("targets", bytes_for(slices)) {
    for (const TensorSlice& s : slices)
      all.push_back({s.name, s.first, memory_.allocate(s.values.dtype, {s.values.count()})});
  }
  std::vector<SliceToRead> all;

 private:
  static int64_t bytes_for(const std::vector<TensorSlice>& slices) {
    int64_t bytes = 64;
    for (const TensorSlice& s : slices) bytes += s.values.bytes() + 64;
    return bytes;
  }
  Arena memory_;
};

void expect_equal(const std::vector<SliceToRead>& read, const std::vector<TensorSlice>& written) {
  ASSERT_EQ(read.size(), written.size());
  for (size_t i = 0; i < read.size(); ++i)
    EXPECT_EQ(std::memcmp(read[i].values.data, written[i].values.data, written[i].values.bytes()), 0)
        << read[i].name << " from " << read[i].first;
}

TEST_F(CheckpointOfRanks, IsReadInOtherSlices) {
  for (const Case& c : cases()) {
    const Content content(c.config, c.dtype);
    write(c, content, Deal::each_tensor, *this / c.name);
    const std::string folder = step_in(*this / c.name);
    verify_checksums(ranks_, folder, 1);
    for (const Deal deal : {Deal::in_a_row, Deal::scattered}) {
      const auto weights = dealt(content.weights, deal, rank(), size()),
                 state = dealt(content.state, deal, rank(), size());
      const Targets read_weights(weights), read_state(state);
      read_slices(device_, CheckpointReader(folder), read_weights.all);
      read_optimizer_file(device_, folder + "/optimizer.safetensors", c.config, c.dtype, read_state.all, {});
      expect_equal(read_weights.all, weights), expect_equal(read_state.all, state);
    }
  }
}

TEST_F(CheckpointOfRanks, IsLoadedWhole) {
  const Case& c = cases()[1];
  const Content content(c.config, c.dtype);
  write(c, content, Deal::in_a_row, *this / "out");
  Model model = make_model(device_, c.config, c.dtype);
  Optimizer optimizer(device_, model, model.weights, whole_weights(c.config));  // no gradients are needed
  const RunState state = load_checkpoint(ranks_, device_, step_in(*this / "out"), model, optimizer);
  EXPECT_EQ(state.windows_read, 21);
  std::map<std::string, ConstTensor> written;
  for (const TensorSlice& slice : content.all()) written[slice.name] = slice.values;
  const std::vector<TensorSlice> loaded = checkpoint_slices(optimizer);
  EXPECT_EQ(loaded.size(), written.size());
  for (const TensorSlice& slice : loaded) {
    const ConstTensor& want = written.at(slice.name);
    ASSERT_EQ(slice.values.bytes(), want.bytes()) << slice.name;
    EXPECT_EQ(std::memcmp(slice.values.data, want.data, want.bytes()), 0) << slice.name;
  }
}

TEST_F(CheckpointOfRanks, ModelFoldersAreWrittenTogether) {
  const Case& c = cases()[1];
  const Content content(c.config, c.dtype);
  save_model_folder(ranks_, device_, *this / "model", {.config = c.config, .dtype = c.dtype},
                    dealt(content.weights, Deal::scattered, rank(), size()));
  if (rank() > 0) return;
  save_model(device_, *this / "alone", content.model);
  EXPECT_TRUE(tree_of(*this / "model") == tree_of(*this / "alone"));
}

TEST_F(CheckpointOfRanks, AllFindTheSameOutput) {
  const Case& c = cases()[0];
  const Content content(c.config, c.dtype);
  const std::string output = *this / "out";
  EXPECT_THAT(common_error_of([&] { OutputFolder(ranks_, output, true); }), HasSubstr("no checkpoint"));
  write(c, content, Deal::in_a_row, output);
  EXPECT_THAT(common_error_of([&] { OutputFolder(ranks_, output, false); }),
              HasSubstr("holds the checkpoint " + step_in(output)));
  EXPECT_EQ(OutputFolder(ranks_, output, true).start(), step_in(output));
  const OutputFolder mine(ranks_, output, true);
  EXPECT_THAT(common_error_of([&] { OutputFolder(ranks_, output, true); }), HasSubstr(output));
}

}  // namespace
}  // namespace fathom::testing
