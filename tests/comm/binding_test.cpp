#include "comm/binding.h"

#include <gtest/gtest.h>

namespace fathom::testing {
namespace {

TEST(Binding, OfThreadsThatTakeTurnsIsWarnedOf) {
  EXPECT_EQ(binding_warning({.threads = 8, .allowed = 8, .processors = 16, .ranks = 2}), "");
  const std::string text = binding_warning({.threads = 8, .allowed = 1, .processors = 16, .ranks = 2});
  EXPECT_NE(text.find("8 threads"), std::string::npos) << text;
  EXPECT_NE(text.find("--bind-to none"), std::string::npos) << text;
}

TEST(Binding, ThatLeavesMostProcessorsIdleIsWarnedOf) {
  EXPECT_NE(binding_warning({.threads = 1, .allowed = 1, .processors = 64, .ranks = 2}).find("stay idle"),
            std::string::npos);
  EXPECT_EQ(binding_warning({.threads = 1, .allowed = 1, .processors = 4, .ranks = 4}), "");
  EXPECT_EQ(binding_warning({.threads = 2, .allowed = 2, .processors = 4, .ranks = 1}), "");
}

TEST(Binding, RanksOfAHostDivideItsProcessors) {
  EXPECT_EQ(threads_of_rank({.threads = 64, .allowed = 64, .processors = 64, .ranks = 8}), 8);
  EXPECT_EQ(threads_of_rank({.threads = 4, .allowed = 64, .processors = 64, .ranks = 8}), 4);
  EXPECT_EQ(threads_of_rank({.threads = 1, .allowed = 1, .processors = 64, .ranks = 8}), 1);
  EXPECT_EQ(threads_of_rank({.threads = 2, .allowed = 2, .processors = 2, .ranks = 4}), 1);
  EXPECT_EQ(threads_of_rank({.threads = 2, .allowed = 2, .processors = 2, .ranks = 1}), 2);
}

TEST(Binding, UnevenHostsAreWarnedOf) {
  EXPECT_EQ(uneven_hosts_warning({"a", "a", "b", "b"}), "");
  EXPECT_EQ(uneven_hosts_warning({"a"}), "");
  EXPECT_EQ(uneven_hosts_warning({"a", "b", "b", "c", "b"}).find("3 ranks on b, but 1 on a: "), 0u);
}

TEST(Binding, OfThisProcessIsKnown) {
  const Binding b = binding_of_this_process(1);
  EXPECT_GE(b.allowed, 1);
  EXPECT_GE(b.processors, b.allowed);
}

}  // namespace
}  // namespace fathom::testing
