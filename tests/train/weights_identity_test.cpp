// What tells one folder's weights from another's.
#include "train/weights_identity.h"

#include <gtest/gtest.h>

#include "io/checkpoint.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

struct Stored {
  std::string name = "a";
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  int64_t rows = 2;
};

// Of two tensors, the second of them as it stands, in shards of at most so many bytes.
std::string identity(const Stored& s, int64_t shard = 1 << 20, int threads = 1) {
  TempDir dir;
  std::vector<float> first(8, 0.5f), second = s.values;
  const std::vector<NamedTensor> tensors = {
      {"z", Tensor(first.data(), DType::f32, {8})},
      {s.name, Tensor(second.data(), DType::f32, {s.rows, static_cast<int64_t>(second.size()) / s.rows})}};
  write_sharded(dir / "w", tensors, shard);
  const Device host = Device::cpu(1);
  Communicator alone = Communicator::alone(host);
  return weights_identity(alone, dir / "w", threads);
}

TEST(WeightsIdentity, IsOfTheTensorsAndNotOfTheirFiles) {
  const std::string one = identity({});
  EXPECT_EQ(identity({}, 16), one);  // a file each
  EXPECT_EQ(identity({}, 1 << 20, 3), one);
  EXPECT_NE(identity({.values = {1, 2, 3, 4, 5, 7}}), one);
  EXPECT_NE(identity({.rows = 3}), one);
  EXPECT_NE(identity({.name = "b"}), one);
}

}  // namespace
}  // namespace fathom::testing
