#include <gtest/gtest.h>

#include <cstdlib>

#include "http/http_post.h"
#include "support/python_server.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

HttpReply post(const std::string& url) {
  return http_post(parse_http_url(url, "url"), {}, "{}", {.seconds = 10});
}

TEST(Https, OnlyOfAHostThatIsTrusted) {
  if (std::system("openssl version >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "there is no openssl to make a certificate";
  const TempDir dir;
  const testing::PythonServer server({"tests/http/tls_server.py", dir.path()});
  const std::string port = server.url().substr(server.url().rfind(':'));
  // Nobody vouches for its certificate.
  ::unsetenv("SSL_CERT_FILE");
  const HttpReply unknown = post("https://localhost" + port);
  EXPECT_EQ(unknown.status, 0);
  EXPECT_EQ(unknown.error.find("no secure connection: certificate verify failed"), 0u) << unknown.error;
  ::setenv("SSL_CERT_FILE", (dir / "cert.pem").c_str(), 1);
  const HttpReply reply = post("https://localhost" + port + "/v1");
  EXPECT_EQ(reply.status, 200) << reply.error;
  EXPECT_EQ(reply.body, "{\"host\": \"localhost" + port + "\"}");
  // The certificate is of another name.
  EXPECT_EQ(post("https://127.0.0.1" + port).error.find("no secure connection"), 0u);
  // No TLS where it is expected, and the other way round.
  EXPECT_EQ(post("http://localhost" + port).status, 0);
  ::unsetenv("SSL_CERT_FILE");
}

}  // namespace
}  // namespace fathom
