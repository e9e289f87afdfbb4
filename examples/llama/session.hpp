#pragma once

#include <vector>

#include "model.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/span.hpp"
#include "run_block.hpp"
#include "workers.hpp"

namespace llama {

/// Which of the tokens that are appended give logits.
enum class Logits : std::uint8_t { last, all };

/// A text that a model reads: the keys and values of all tokens so far. The model and the workers must outlive it.
class Session {
 public:
  Session(const Model& model, Workers& workers) : model_(&model), workers_(&workers), caches_(model.blocks.size()) {}

  /// Tokens so far.
  Index position() const { return position_; }

  /// Forgets the tokens from `position` on. @pre 0 <= position <= position()
  void rewind(Index position = 0);

  /// Reads further tokens, and says what may follow.
  /// @return logits, (vocabulary) behind the last token or (tokens, vocabulary) behind each; nothing for no tokens; an
  ///   error, and nothing is read, for a token that is not in the vocabulary or more than the model has positions
  qlr::Result<std::vector<float>> append(qlr::Span<const int> tokens, Logits logits = Logits::last);

 private:
  const Model* model_;
  Workers* workers_;
  std::vector<KeyValueCache> caches_;  // one for each block
  Index position_ = 0;
};

}  // namespace llama
