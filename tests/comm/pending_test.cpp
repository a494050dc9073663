#include "comm/pending.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace fathom::testing {
namespace {

struct Calls {
  int waits = 0, abandons = 0;
};

class Counted : public Operation {
 public:
  explicit Counted(Calls& calls) : calls_(calls) {}
  void wait() override { ++calls_.waits; }
  void abandon() noexcept override { ++calls_.abandons; }

 private:
  Calls& calls_;
};

TEST(Pending, WaitsOnce) {
  Calls calls;
  Pending pending(std::make_unique<Counted>(calls));
  EXPECT_FALSE(pending.done());
  pending.wait(), pending.wait();
  EXPECT_TRUE(pending.done());
  EXPECT_EQ(calls.waits, 1);
  pending = Pending(std::make_unique<Counted>(calls));
  pending.wait();
  EXPECT_EQ(calls.waits, 2);
  EXPECT_EQ(calls.abandons, 0);
}

TEST(Pending, IsAbandonedByAnError) {
  Calls calls;
  const auto failing = [&] {
    const Pending pending(std::make_unique<Counted>(calls));
    fail("no");
  };
  EXPECT_THROW(failing(), Error);
  EXPECT_EQ(calls.waits, 0);
  EXPECT_EQ(calls.abandons, 1);
}

TEST(PendingDeathTest, MustNotBeDropped) {
  Calls calls;
  EXPECT_DEATH({ const Pending dropped(std::make_unique<Counted>(calls)); }, "never waited for");
}

}  // namespace
}  // namespace fathom::testing
