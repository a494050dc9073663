// What a page is about (names, recipes, outputs of models) is data: JSON without '<', which the script shows
// as text. Should that ever fail, the page's Content-Security-Policy runs no script without a nonce that
// nobody could know before.
#include "page/html_page.h"

#include <fmt/format.h>

#include <map>
#include <random>

#include "page/shared_files.h"

namespace fathom {
namespace {

std::string random_hex() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

// Each {{NAME}} of the frame by its text, which is not searched again.
std::string filled(std::string_view frame, const std::map<std::string_view, std::string_view>& texts) {
  std::string page;
  for (size_t open; (open = frame.find("{{")) != std::string_view::npos;) {
    const size_t close = frame.find("}}", open);
    page += frame.substr(0, open);
    page += texts.at(frame.substr(open + 2, close - open - 2));
    frame.remove_prefix(close + 2);
  }
  return page += frame;
}

}  // namespace

std::string html_page(const PageFiles& files, std::string_view title, std::string_view data) {
  const std::string nonce = random_hex();
  const std::string style = std::string(shared_page_files.style) + std::string(files.style);
  const std::string script = std::string(shared_page_files.script) + std::string(files.script);
  return filled(shared_page_files.body, {{"nonce", nonce},
                                         {"title", title},
                                         {"style", style},
                                         {"body", files.body},
                                         {"data", data},
                                         {"script", script}});
}

}  // namespace fathom
