#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace llama {

/// The texts of tokens, by their numbers and back.
class Vocabulary {
 public:
  int size() const { return int(places_.size()); }
  std::size_t longest() const { return longest_; }

  /// Gives the token a text, and makes room for it; numbers in between have none.
  /// @pre 0 <= token; the caller bounds it, and gives no token twice
  void set(int token, std::string_view text) {
    if (token >= size()) places_.resize(std::size_t(token) + 1);
    places_[std::size_t(token)] = {texts_.size(), text.size()};
    texts_ += text;
    longest_ = std::max(longest_, text.size());
  }
  void add(std::string_view text) { set(size(), text); }

  /// Must be called after the last token was set, and before find().
  void build_index() {
    numbers_.reserve(places_.size());
    for (int token = 0; token < size(); ++token)
      if (!text(token).empty()) numbers_.emplace(text(token), token);
  }

  /// @pre 0 <= token < size()
  std::string_view text(int token) const {
    const Place& place = places_[std::size_t(token)];
    return std::string_view(texts_).substr(place.offset, place.size);
  }

  /// The lowest token with that text, which is not empty; -1 if there is none.
  int find(std::string_view text) const {
    const auto found = numbers_.find(text);
    return found == numbers_.end() ? -1 : found->second;
  }

 private:
  struct Place {
    std::size_t offset = 0, size = 0;
  };

  std::string texts_;
  std::vector<Place> places_;
  std::unordered_map<std::string_view, int> numbers_;  // views of texts_
  std::size_t longest_ = 0;
};

}  // namespace llama
