#include "http/http_post.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(HttpTarget, IsReadFromAUrl) {
  const HttpTarget whole = parse_http_url("http://host:8000/a/b?c=d", "url");
  EXPECT_EQ(whole.host + " " + whole.port + " " + whole.path, "host 8000 /a/b?c=d");
  const HttpTarget bare = parse_http_url("http://host", "url");
  EXPECT_EQ(bare.host + " " + bare.port + " " + bare.path, "host 80 /");
  const HttpTarget tls = parse_http_url("https://host/v1", "url");
  EXPECT_EQ(tls.host + " " + tls.port + " " + tls.path, "host 443 /v1");
  EXPECT_TRUE(tls.tls);
  EXPECT_FALSE(bare.tls);
  EXPECT_EQ(parse_http_url("https://host:8443", "url").port, "8443");
  const HttpTarget v6 = parse_http_url("http://[::1]:81/", "url");
  EXPECT_EQ(v6.host + " " + v6.port + " " + v6.path, "::1 81 /");
}

}  // namespace
}  // namespace fathom
