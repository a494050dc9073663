// One HTTP request: a POST of JSON, or a GET, with a time limit over all of it and a limit on the reply's
// size.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <string>

namespace fathom {

struct HttpTarget {
  std::string host, port, path;
  bool tls = false;  // the certificate must be of this host, by one whom the system trusts
};

// "http://host[:port][/path]", or https. Error naming `where` for anything else.
HttpTarget parse_http_url(const std::string& url, const std::string& where);

struct HttpReply {
  int status = 0;  // 0: there was none
  std::string body;
  std::string error;  // why there was none
};

struct HttpLimits {
  double seconds = 60;
  uint64_t body_bytes = 16 << 20;
  const std::atomic<bool>* stop = nullptr;  // true: the request is given up
};

// Redirects are not followed; a connection serves one request.
HttpReply http_post(const HttpTarget& target, const std::map<std::string, std::string>& headers,
                    std::string body, const HttpLimits& limits);
HttpReply http_get(const HttpTarget& target, const std::map<std::string, std::string>& headers,
                   const HttpLimits& limits);

}  // namespace fathom
