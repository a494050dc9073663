#include "http/http_post.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>

#include "base/error.h"
#include "base/parse_number.h"
#include "http/connection.h"

namespace fathom {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;
using Endpoints = asio::ip::tcp::resolver::results_type;

std::string default_port(bool tls) {
  return tls ? "443" : "80";
}

// The steps of one request, each started by the end of the one before.
template <class Connection>
class Exchange {
 public:
  // Without a body a GET.
  Exchange(const HttpTarget& target, const std::map<std::string, std::string>& headers,
           std::optional<std::string> body, const HttpLimits& limits)
      : limits_(limits),
        target_(target),
        resolver_(io_),
        connection_(io_, target.host),
        request_(body ? http::verb::post : http::verb::get, target.path, 11) {
    const bool usual = target.port == default_port(target.tls);
    request_.set(http::field::host, target.host + (usual ? "" : ":" + target.port));
    request_.set(http::field::connection, "close");
    for (const auto& [name, value] : headers) request_.set(name, value);
    if (body) {
      request_.set(http::field::content_type, "application/json");
      request_.body() = std::move(*body);
      request_.prepare_payload();
    }
    parser_.body_limit(limits.body_bytes);
  }

  HttpReply run() {
    resolver_.async_resolve(target_.host, target_.port, [this](ErrorCode e, const Endpoints& endpoints) {
      if (!failed(e, "cannot find the host")) connect(endpoints);
    });
    wait();
    if (!done_ && stopped()) return {0, "", "given up"};
    if (!done_) return {0, "", fmt::format("no reply within {} seconds", limits_.seconds)};
    return std::move(reply_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool stopped() const { return limits_.stop && *limits_.stop; }

  // Until it is done, in pieces of time short enough that a stop is noticed.
  void wait() {
    constexpr auto piece = std::chrono::milliseconds(100);
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(limits_.seconds));
    while (!done_ && !stopped() && Clock::now() < end)
      io_.run_for(std::min<Clock::duration>(piece, end - Clock::now()));
  }

  bool failed(ErrorCode e, const char* what) {
    if (!e) return false;
    done_ = true;
    const bool too_large = e == http::error::body_limit;
    reply_.error = too_large ? fmt::format("the reply is larger than {} bytes", limits_.body_bytes)
                             : fmt::format("{}: {}", what, e.message());
    return true;
  }

  void connect(const Endpoints& endpoints) {
    connection_.tcp().async_connect(endpoints, [this](ErrorCode e, const asio::ip::tcp::endpoint&) {
      if (!failed(e, "cannot connect")) open();
    });
  }

  void open() {
    connection_.open([this](ErrorCode e) {
      if (!failed(e, "no secure connection")) write();
    });
  }

  void write() {
    http::async_write(connection_.stream, request_, [this](ErrorCode e, size_t) {
      if (!failed(e, "cannot send")) read_header();
    });
  }

  // Apart from the body: Beast 1.74 forgets that a length in the header is over the limit when the body's
  // beginning comes along with it.
  void read_header() {
    http::async_read_header(connection_.stream, buffer_, parser_, [this](ErrorCode e, size_t) {
      if (!failed(e, "no whole reply")) read();
    });
  }

  void read() {
    http::async_read(connection_.stream, buffer_, parser_, [this](ErrorCode e, size_t) {
      if (failed(e, "no whole reply")) return;
      done_ = true;
      reply_ = {static_cast<int>(parser_.get().result_int()), std::move(parser_.get().body()), ""};
    });
  }

  HttpLimits limits_;
  HttpTarget target_;
  asio::io_context io_;
  asio::ip::tcp::resolver resolver_;
  Connection connection_;
  http::request<http::string_body> request_;
  http::response_parser<http::string_body> parser_;
  beast::flat_buffer buffer_;
  HttpReply reply_;
  bool done_ = false;
};

HttpReply exchange(const HttpTarget& target, const std::map<std::string, std::string>& headers,
                   std::optional<std::string> body, const HttpLimits& limits) {
  if (target.tls) return Exchange<TlsConnection>(target, headers, std::move(body), limits).run();
  return Exchange<PlainConnection>(target, headers, std::move(body), limits).run();
}

}  // namespace

HttpTarget parse_http_url(const std::string& url, const std::string& where) {
  const bool tls = url.starts_with("https://");
  const std::string_view scheme = tls ? "https://" : "http://";
  check(url.starts_with(scheme), "{}: must begin with http:// or https://, got '{}'", where, url);
  for (const char c : url)
    check(c > ' ' && c != 0x7f && c != '@', "{}: a URL cannot have the character '{}'", where, c);
  const size_t slash = url.find('/', scheme.size());
  const std::string authority = url.substr(scheme.size(), slash - scheme.size());
  HttpTarget target{authority, default_port(tls), slash == std::string::npos ? "/" : url.substr(slash), tls};
  const size_t bracket = authority.find(']');  // of an IPv6 address
  const size_t colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  if (colon != std::string::npos) {
    target.host = authority.substr(0, colon);
    target.port = authority.substr(colon + 1);
    parse_number<int>(where + ": port", target.port, {.low = 1, .high = 65535});
  }
  if (target.host.starts_with('[') && target.host.ends_with(']'))
    target.host = target.host.substr(1, target.host.size() - 2);
  check(!target.host.empty(), "{}: no host in '{}'", where, url);
  return target;
}

HttpReply http_post(const HttpTarget& target, const std::map<std::string, std::string>& headers,
                    std::string body, const HttpLimits& limits) {
  return exchange(target, headers, std::move(body), limits);
}

HttpReply http_get(const HttpTarget& target, const std::map<std::string, std::string>& headers,
                   const HttpLimits& limits) {
  return exchange(target, headers, {}, limits);
}

}  // namespace fathom
