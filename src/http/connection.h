// What a request goes over: TCP, or TLS over it.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <functional>
#include <string>

namespace fathom {

using Opened = std::function<void(boost::system::error_code)>;

struct PlainConnection {
  PlainConnection(boost::asio::io_context& io, const std::string& /*host*/) : stream(io) {}

  boost::beast::tcp_stream& tcp() { return stream; }
  // After tcp() is connected.
  void open(const Opened& opened) { opened({}); }

  boost::beast::tcp_stream stream;
};

class TlsConnection {
 public:
  TlsConnection(boost::asio::io_context& io, std::string host);

  boost::beast::tcp_stream& tcp() { return stream.next_layer(); }
  // Fails when the host's certificate is not its own, or of nobody whom the system trusts (SSL_CERT_FILE and
  // SSL_CERT_DIR name others).
  void open(Opened opened);

 private:
  std::string host_;
  boost::asio::ssl::context context_;

 public:
  boost::beast::ssl_stream<boost::beast::tcp_stream> stream;
};

}  // namespace fathom
