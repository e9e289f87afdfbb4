#pragma once

#include <algorithm>
#include <cstddef>
#include <queue>
#include <utility>
#include <vector>

namespace llama {

/// What two neighbouring tokens become. Lower orders come first.
struct Merge {
  double order = 0;
  int token = -1;  ///< -1: they stay as they are
};

/// Joins neighbours until no two can be: of all merges that find(left, right) offers, the one of the lowest order, the
/// leftmost of several.
///
/// A heap holds the merges of all neighbours. One whose tokens have changed meanwhile is dropped when its turn comes.
/// Cost: O(n log n) for n tokens, and at most 3 n calls of find
template <class Find>
void merge_tokens(std::vector<int>& tokens, Find&& find) {
  struct Candidate {
    Merge merge;
    std::size_t left;
    int left_token, right_token;

    bool operator<(const Candidate& other) const {  // the greatest is taken first
      return merge.order != other.merge.order ? merge.order > other.merge.order : left > other.left;
    }
  };
  const std::size_t count = tokens.size();
  std::vector<std::size_t> next(count), previous(count);
  for (std::size_t i = 0; i < count; ++i) next[i] = i + 1, previous[i] = i - 1;

  const auto candidate = [&](std::size_t left) {
    const std::size_t right = next[left];
    if (right >= count) return Candidate{};
    return Candidate{find(tokens[left], tokens[right]), left, tokens[left], tokens[right]};
  };
  std::vector<Candidate> first;
  for (std::size_t i = 0; i < count; ++i)
    if (const Candidate found = candidate(i); found.merge.token >= 0) first.push_back(found);
  std::priority_queue<Candidate> candidates(std::less<Candidate>(), std::move(first));

  constexpr int removed = -1;
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    const std::size_t left = best.left, right = next[left];
    if (tokens[left] != best.left_token || right >= count || tokens[right] != best.right_token) continue;
    tokens[left] = best.merge.token;
    tokens[right] = removed;
    next[left] = next[right];
    if (next[left] < count) previous[next[left]] = left;
    if (const Candidate found = candidate(left); found.merge.token >= 0) candidates.push(found);
    if (left > 0)
      if (const Candidate found = candidate(previous[left]); found.merge.token >= 0) candidates.push(found);
  }
  tokens.erase(std::remove(tokens.begin(), tokens.end(), removed), tokens.end());
}

}  // namespace llama
