// SVG pictures, built piece by piece. Numbers are pixels, y downwards; text is escaped.
#pragma once
#include <string>
#include <string_view>

namespace fathom {

class Svg {
 public:
  // A white page.
  Svg(double width, double height);

  void box(double x, double y, double width, double height, std::string_view color);
  // `anchor`: start, middle or end.
  void text(double x, double y, std::string_view anchor, std::string_view color, std::string_view words);
  // The whole picture. Nothing can be added afterwards.
  std::string finish();

 private:
  std::string out_;
};

}  // namespace fathom
