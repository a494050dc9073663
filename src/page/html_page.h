// A page that is one file: its style, its script and its data are in it, and it asks nothing of a network.
#pragma once
#include <string>
#include <string_view>

namespace fathom {

struct PageFiles {
  std::string_view body;    // HTML
  std::string_view style;   // CSS, behind the style that all pages have
  std::string_view script;  // JavaScript, behind what all pages share
};

// `title` without markup. `data`: JSON as script_json() writes it; the script finds it in the element `data`.
std::string html_page(const PageFiles& files, std::string_view title, std::string_view data);

}  // namespace fathom
