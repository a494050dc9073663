// An address that JSON is posted to or got from, and how hard it is tried.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "http/http_post.h"

namespace fathom {

struct HttpEndpoint {
  HttpTarget target;
  std::map<std::string, std::string> headers;
  HttpLimits limits;  // of each attempt
  int64_t retries = 3;
  double backoff = 0.5;  // seconds before the first retry; doubled for each one more, up to 10
};

// Failed connections, time-outs and the statuses 408, 429 and 5xx are tried again. The last reply.
HttpReply post_with_retries(const HttpEndpoint& endpoint, const std::string& body);
HttpReply get_with_retries(const HttpEndpoint& endpoint);

// Where a route such as "/chat/completions" is: `base` goes up to and with ".../v1", or is the whole address
// of the route. `where` stands in errors.
HttpTarget route_of(const std::string& base, const std::string& route, const std::string& where);

// A bearer token from the environment, so that it stands in no file and in no list of processes. Error naming
// `where` when the variable is not set.
void add_bearer(HttpEndpoint& endpoint, const std::string& variable, const std::string& where);

}  // namespace fathom
