#include "base/error.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <new>
#include <system_error>
#include <vector>

namespace fathom {
namespace {

TEST(Error, IsExplainedInOneLine) {
  const auto explained = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const std::exception& e) {
      return explain(e);
    }
    return "";
  };
  EXPECT_EQ(explained([] { check(1 > 2, "{} is not more than {}", 1, 2); }), "1 is not more than 2");
  EXPECT_EQ(explained([] { throw std::bad_alloc(); }), "not enough memory");
  EXPECT_EQ(explained([] { std::vector<int>().reserve(SIZE_MAX); }), "not enough memory");
  EXPECT_EQ(explained([] { static_cast<void>(std::filesystem::file_size("/nowhere")); }),
            "/nowhere: No such file or directory");
  EXPECT_EQ(explained([] { std::filesystem::rename("/nowhere", "/there"); }),
            "/nowhere and /there: No such file or directory");
  EXPECT_EQ(explained([] { throw std::system_error(EAGAIN, std::generic_category()); }),
            "no more threads or memory for them: Resource temporarily unavailable");
}

}  // namespace
}  // namespace fathom
