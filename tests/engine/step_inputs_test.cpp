// Scheduled pieces as the model gets them.
#include "engine/step_inputs.h"

#include <gmock/gmock.h>

#include "ops/sample.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;

Sequence sequence_of(std::vector<int32_t> tokens, int64_t cached, std::vector<int32_t> pages) {
  Sequence s;
  s.tokens = std::move(tokens), s.cached = cached, s.pages = std::move(pages);
  s.sampling = {.temperature = 0.5, .top_k = 99, .top_p = 0.25, .min_p = 0.125, .seed = 1};
  return s;
}

TEST(StepInputs, ThreeSequencesInABatchOfFour) {
  Sequence a = sequence_of({5, 6, 7}, 2, {8}), b = sequence_of({1, 2, 3, 4, 9}, 4, {3, 7}),
           c = sequence_of({4}, 0, {2});
  const std::vector<Scheduled> pieces = {{&a, 1}, {&b, 1}, {&c, 1}};
  const HostBatch batch =
      host_batch(pieces, {.sequences = 4, .max_pages = 2, .sampled = 4, .padding_page = 50});
  EXPECT_THAT(batch.tokens, ElementsAre(7, 9, 4, 0));
  EXPECT_THAT(batch.positions, ElementsAre(2, 4, 0, 0));
  EXPECT_THAT(batch.sequence, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(batch.sequence_starts, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(batch.block_table, ElementsAre(8, -1, 3, 7, 2, -1, 50, -1));
  EXPECT_TRUE(batch.chunks.empty());

  Arena memory("test", 4096);
  StepInputs in = allocate_step_inputs(memory, {batch.size(), batch.max_pages, 4});
  write_step_inputs(pieces, batch, 60, in);
  EXPECT_EQ(in.block.data, memory.data());
  EXPECT_EQ(in.block.bytes(), memory.used());
  EXPECT_THAT(std::vector<int32_t>(in.last_tokens.as<int32_t>(), in.last_tokens.as<int32_t>() + 4),
              ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(std::vector<int32_t>(in.top_k.as<int32_t>(), in.top_k.as<int32_t>() + 4),
              ElementsAre(60, 60, 60, 0));
  EXPECT_THAT(std::vector<double>(in.settings.row<double>(1), in.settings.row<double>(2)),
              ElementsAre(0.5, 0.25, 0.125, sampling_draw(b.sampling, 5)));
  EXPECT_EQ(in.settings.row<double>(3)[sample_setting::temperature], 0);
}

TEST(StepInputs, ChunksOfPromptsAreNotPadded) {
  Sequence a = sequence_of({5, 6, 7, 8}, 1, {8}), b = sequence_of({1, 2}, 0, {3});
  const std::vector<Scheduled> pieces = {{&a, 3}, {&b, 1}};
  const HostBatch batch = host_batch(
      pieces, {.sequences = 2, .max_pages = 1, .sampled = 1, .max_expanded_keys = 100, .padding_page = 50});
  EXPECT_THAT(batch.tokens, ElementsAre(6, 7, 8, 1));
  EXPECT_THAT(batch.positions, ElementsAre(1, 2, 3, 0));
  EXPECT_THAT(batch.sequence_starts, ElementsAre(0, 3, 4));
  EXPECT_THAT(batch.block_table, ElementsAre(8, 3));
  ASSERT_EQ(batch.chunks.size(), 1u);

  Arena memory("test", 4096);
  StepInputs in = allocate_step_inputs(memory, {batch.size(), batch.max_pages, 1});
  write_step_inputs(pieces, batch, 60, in);
  EXPECT_THAT(std::vector<int32_t>(in.last_tokens.as<int32_t>(), in.last_tokens.as<int32_t>() + 2),
              ElementsAre(2, 3));
  EXPECT_EQ(in.batch.chunks[0].keys, 5);
}

}  // namespace
}  // namespace fathom
