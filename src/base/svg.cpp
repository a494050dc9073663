#include "base/svg.h"

#include <fmt/format.h>

#include <utility>

namespace fathom {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

}  // namespace

Svg::Svg(double width, double height)
    : out_(fmt::format(
          R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" font-family="sans-serif" font-size="12">)",
          width, height)) {
  out_ +=
      "\n"
      R"(<rect width="100%" height="100%" fill="#fff"/>)"
      "\n";
}

void Svg::box(double x, double y, double width, double height, std::string_view color) {
  out_ += fmt::format(R"(<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{}" fill="{}" stroke="#fff"/>)"
                      "\n",
                      x, y, width, height, color);
}

void Svg::text(double x, double y, std::string_view anchor, std::string_view color, std::string_view words) {
  out_ += fmt::format(R"(<text x="{:.2f}" y="{:.2f}" text-anchor="{}" fill="{}">{}</text>)"
                      "\n",
                      x, y, anchor, color, escaped(words));
}

std::string Svg::finish() {
  return std::exchange(out_, {}) + "</svg>\n";
}

}  // namespace fathom
