#include "http/endpoint.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "base/error.h"

namespace fathom {
namespace {

constexpr double longest_pause = 10;  // seconds between two attempts

bool worth_another_try(int status) {
  return status == 0 || status == 408 || status == 429 || status >= 500;
}

bool stopped(const HttpEndpoint& endpoint) {
  return endpoint.limits.stop && *endpoint.limits.stop;
}

void pause(const HttpEndpoint& endpoint, int64_t retry) {
  constexpr double piece = 0.1;
  const auto doublings = static_cast<int>(std::min<int64_t>(retry - 1, 30));
  for (double left = std::min(longest_pause, std::ldexp(endpoint.backoff, doublings)); left > 0;
       left -= piece) {
    if (stopped(endpoint)) return;
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(left, piece)));
  }
}

template <class Send>
HttpReply with_retries(const HttpEndpoint& endpoint, const Send& send) {
  HttpReply reply;
  for (int64_t attempt = 0; attempt <= endpoint.retries; ++attempt) {
    if (attempt > 0) pause(endpoint, attempt);
    reply = send();
    if (!worth_another_try(reply.status) || stopped(endpoint)) break;
  }
  return reply;
}

}  // namespace

HttpReply post_with_retries(const HttpEndpoint& endpoint, const std::string& body) {
  return with_retries(endpoint,
                      [&] { return http_post(endpoint.target, endpoint.headers, body, endpoint.limits); });
}

HttpReply get_with_retries(const HttpEndpoint& endpoint) {
  return with_retries(endpoint, [&] { return http_get(endpoint.target, endpoint.headers, endpoint.limits); });
}

HttpTarget route_of(const std::string& base, const std::string& route, const std::string& where) {
  HttpTarget target = parse_http_url(base, where);
  if (target.path.ends_with(route)) return target;
  while (target.path.ends_with('/')) target.path.pop_back();
  target.path += route;
  return target;
}

void add_bearer(HttpEndpoint& endpoint, const std::string& variable, const std::string& where) {
  const char* token = std::getenv(variable.c_str());
  check(token && *token, "{} names the variable {}, which is not set", where, variable);
  for (const char* c = token; *c; ++c)
    check(*c > ' ' && *c != 0x7f, "{}: the token in {} has a character that no header may have", where,
          variable);
  endpoint.headers["Authorization"] = std::string("Bearer ") + token;
}

}  // namespace fathom
