#include "page/short_names.h"

#include <gmock/gmock.h>

namespace fathom {
namespace {

using ::testing::ElementsAre;

TEST(ShortNames, TellFoldersApart) {
  const std::vector<std::string> paths = {"out/a", "out/b/", "other/b"};
  EXPECT_THAT(short_names(paths), ElementsAre("a", "out/b/", "other/b"));
}

}  // namespace
}  // namespace fathom
