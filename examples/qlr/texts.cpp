#include "texts.hpp"

#include <algorithm>
#include <stdexcept>

#include "qlr/io/mapped_file.hpp"

namespace cli {

std::vector<std::string_view> text_pieces(std::string_view text, std::size_t longest) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    std::size_t end = text.size();
    if (end > longest) {
      const std::size_t line = text.rfind('\n', longest - 1);
      end = line == std::string_view::npos ? longest : line + 1;
    }
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return pieces;
}

std::vector<Sequence> sequences_of(const llama::Tokenizer& tokenizer, std::string_view text, qlr::Index positions,
                                   qlr::Index tokens) {
  const std::size_t longest = std::max<std::size_t>(1, std::size_t(positions) * 175 / 64);
  std::vector<Sequence> sequences;
  for (const std::string_view piece : text_pieces(text, longest)) {
    Sequence sequence = tokenizer.encode(piece, true);
    sequence.resize(std::min(sequence.size(), std::size_t(positions)));
    if (sequence.size() < 2) continue;
    tokens -= qlr::Index(sequence.size());
    if (tokens < 0 && !sequences.empty()) break;
    sequences.push_back(std::move(sequence));
  }
  if (sequences.empty()) throw std::runtime_error("expected a text of at least two tokens, got none");
  return sequences;
}

std::string read_text(const std::string& path) {
  const qlr::MappedFile file = qlr::value_or_throw(qlr::MappedFile::open(path));
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

}  // namespace cli
