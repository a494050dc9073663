#include "http/connection.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl.hpp>
#include <utility>

namespace fathom {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

TlsConnection::TlsConnection(asio::io_context& io, std::string host)
    : host_(std::move(host)), context_(asio::ssl::context::tls_client), stream(io, context_) {}

void TlsConnection::open(Opened opened) {
  ErrorCode error;
  context_.set_default_verify_paths(error);
  if (error) return opened(error);
  stream.set_verify_mode(asio::ssl::verify_peer);
  stream.set_verify_callback(asio::ssl::host_name_verification(host_));
  // Servers of several hosts are told which one is meant; an address names none.
  ErrorCode no_address;
  asio::ip::make_address(host_, no_address);
  if (no_address) SSL_set_tlsext_host_name(stream.native_handle(), host_.c_str());
  stream.async_handshake(asio::ssl::stream_base::client, std::move(opened));
}

}  // namespace fathom
