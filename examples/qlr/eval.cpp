#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../llama/model.hpp"
#include "../llama/session.hpp"
#include "commands.hpp"
#include "qlr/core/result.hpp"
#include "qlr/io/checkpoint.hpp"
#include "qlr/model/predictions.hpp"
#include "samples.hpp"
#include "stored_model.hpp"
#include "texts.hpp"
#include "tokenizers.hpp"

namespace cli {

namespace {

/// What is measured of a model.
struct Evaluation {
  std::string name;
  qlr::TextMean nats;
  std::optional<qlr::TextMean> divergence;  ///< from the original
  std::optional<qlr::TextMean> top1;        ///< agreement with it
  std::optional<double> bits_per_weight;
  double file_bytes = 0;
  qlr::Index tokens = 0;
  double prompt_tokens_per_second = 0;
  double generation_tokens_per_second = 0;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double bytes_of(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return double(std::filesystem::file_size(path));
  double bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(path))
    if (file.path().extension() == ".safetensors") bytes += double(file.file_size());
  return bytes;
}

/// All predictions of a text. @return logits (tokens, vocabulary)
std::vector<float> predictions_of(const llama::Model& model, const Sequence& sequence, llama::Workers& workers) {
  llama::Session session(model, workers);
  std::vector<float> logits =
      qlr::value_or_throw(session.append({sequence.data(), qlr::Index(sequence.size())}, llama::Logits::all));
  expect_finite(logits);
  return logits;
}

/// Tokens a second: of texts as prompts, and one by one.
void measure_speed(const llama::Model& model, const std::vector<Sequence>& sequences, llama::Workers& workers,
                   Evaluation& result) {
  constexpr double enough_seconds = 0.5;
  double tokens = 0;
  auto begin = std::chrono::steady_clock::now();
  for (std::size_t k = 0; tokens == 0 || seconds_since(begin) < enough_seconds; ++k) {
    const Sequence& sequence = sequences[k % sequences.size()];
    llama::Session session(model, workers);
    qlr::value_or_throw(session.append({sequence.data(), qlr::Index(sequence.size())}));
    tokens += double(sequence.size());
  }
  result.prompt_tokens_per_second = tokens / seconds_since(begin);
  tokens = 0;
  begin = std::chrono::steady_clock::now();
  for (std::size_t k = 0; tokens == 0 || seconds_since(begin) < enough_seconds; ++k) {
    const Sequence& sequence = sequences[k % sequences.size()];
    llama::Session session(model, workers);
    for (const int token : sequence) {
      qlr::value_or_throw(session.append({&token, 1}));
      ++tokens;
      if (seconds_since(begin) > enough_seconds) break;
    }
  }
  result.generation_tokens_per_second = tokens / seconds_since(begin);
}

/// Adds what a text's predictions are worth; `original` is empty for the original itself.
void add_text(const Sequence& sequence, qlr::Index vocabulary, const std::vector<float>& logits,
              const std::vector<float>& original, Evaluation& result) {
  const qlr::Index predicted = qlr::Index(sequence.size()) - 1;
  double nats = 0;
  double divergence = 0;
  double agreed = 0;
  for (qlr::Index t = 0; t < predicted; ++t) {
    const qlr::Span<const float> here{logits.data() + t * vocabulary, vocabulary};
    nats += qlr::nats_of(here, sequence[std::size_t(t + 1)]);
    if (original.empty()) continue;
    const qlr::Span<const float> there{original.data() + t * vocabulary, vocabulary};
    divergence += qlr::divergence(there, here);
    agreed += qlr::top_token(there) == qlr::top_token(here) ? 1 : 0;
  }
  result.tokens += predicted;
  result.nats.add(nats, predicted);
  if (original.empty()) return;
  if (!result.divergence) result.divergence.emplace(), result.top1.emplace();
  result.divergence->add(divergence, predicted);
  result.top1->add(agreed, predicted);
}

std::string to_json(const Evaluation& result) {
  std::ostringstream text;
  text.precision(9);
  const auto estimate = [&](const char* name, const qlr::Estimate& value) {
    text << ", \"" << name << "\": " << value.mean;
  };
  const qlr::Estimate nats = result.nats.estimate();
  text << "{\"tokens\": " << result.tokens << ", \"nats_per_token\": " << nats.mean;
  const auto error = [&](const char* name, double value) {
    text << ", \"" << name << "\": ";
    if (std::isfinite(value))
      text << value;
    else
      text << "null";
  };
  error("nats_standard_error", nats.standard_error);
  if (result.divergence) {
    estimate("kl_divergence", result.divergence->estimate());
    error("kl_standard_error", result.divergence->estimate().standard_error);
    estimate("top1_agreement", result.top1->estimate());
    error("top1_standard_error", result.top1->estimate().standard_error);
  }
  if (result.bits_per_weight) text << ", \"bits_per_weight\": " << *result.bits_per_weight;
  char bytes[32];
  std::snprintf(bytes, sizeof bytes, "%.0f", result.file_bytes);
  text << ", \"file_bytes\": " << bytes << ", \"prompt_tokens_per_second\": " << result.prompt_tokens_per_second
       << ", \"generation_tokens_per_second\": " << result.generation_tokens_per_second << "}\n";
  return text.str();
}

std::string number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string number(const qlr::Estimate& value, int digits) {
  return number(value.mean, digits) + " +- " + number(value.standard_error, digits);
}

/// Cells of a table's row, each ending where its column does.
std::string to_line(const std::vector<std::string>& cells) {
  constexpr int widths[] = {10, 18, 18, 20, 18, 13, 9, 16, 10};
  std::string line;
  for (std::size_t k = 0; k < cells.size(); ++k) {
    const std::size_t width = std::size_t(widths[k]);
    line += std::string(k == 0 ? 0 : 2, ' ');
    line += std::string(width - std::min(width, cells[k].size()), ' ') + cells[k];
  }
  return line + "\n";
}

/// Rows of a table, the original first.
std::string to_text(const std::vector<Evaluation>& rows) {
  std::string text = to_line({"", "perplexity", "nats a token", "divergence", "same top token, %", "bits a weight",
                              "file, MB", "prompt, tokens/s", "generation"});
  for (const Evaluation& row : rows) {
    const qlr::Estimate nats = row.nats.estimate();
    const double perplexity = std::exp(nats.mean);
    std::string divergence, top1;
    if (row.divergence) {
      divergence = number(row.divergence->estimate(), 5);
      const qlr::Estimate same = row.top1->estimate();
      top1 = number(qlr::Estimate{100 * same.mean, 100 * same.standard_error}, 2);
    }
    text += to_line({row.name, number(qlr::Estimate{perplexity, perplexity * nats.standard_error}, 4), number(nats, 4),
                     divergence, top1, row.bits_per_weight ? number(*row.bits_per_weight, 4) : "",
                     number(1e-6 * row.file_bytes, 3), number(row.prompt_tokens_per_second, 0),
                     number(row.generation_tokens_per_second, 0)});
  }
  return text + "on " + std::to_string(rows.front().tokens) + " tokens\n";
}

qlr::Checkpoint open_llama(const std::string& path) {
  qlr::Checkpoint checkpoint = qlr::value_or_throw(qlr::Checkpoint::open(path));
  if (!checkpoint.llama()) throw std::runtime_error(path + ": expected a Llama model, " + checkpoint.why_not_llama());
  return checkpoint;
}

/// A model to hold against the original: what qlr compress made of it, or any other of its shape.
struct Compared {
  StoredModel stored;
  std::optional<double> bits_per_weight;
};

Compared load_compared(const std::string& path) {
  Compared compared;
  if (is_stored_model(path)) {
    compared.stored = load_stored_model(path);
    compared.bits_per_weight = compared.stored.bits_per_weight();
  } else {
    compared.stored.model = qlr::value_or_throw(llama::load_model(open_llama(path)));
  }
  return compared;
}

}  // namespace

std::string evaluate(const EvalSettings& settings) {
  const qlr::Checkpoint checkpoint = open_llama(settings.model);
  const FoundTokenizer tokenizer = find_tokenizer(settings.model, settings.tokenizer, checkpoint);
  llama::Workers workers(settings.threads);
  const llama::Model original = qlr::value_or_throw(llama::load_model(checkpoint));
  const std::vector<Sequence> sequences =
      settings.text.empty()
          ? sample_sequences(original, *tokenizer.tokenizer, settings.self_tokens, settings.seed, workers)
          : sequences_of(*tokenizer.tokenizer, read_text(settings.text), original.config.positions, settings.tokens);

  std::vector<Evaluation> rows(1);
  rows[0].name = "original";
  rows[0].file_bytes = bytes_of(settings.model);
  Compared compared;
  if (!settings.compressed.empty()) {
    compared = load_compared(settings.compressed);
    if (compared.stored.model.config.vocabulary != original.config.vocabulary)
      throw std::runtime_error(settings.compressed + ": expected a vocabulary of " +
                               std::to_string(original.config.vocabulary) + ", got " +
                               std::to_string(compared.stored.model.config.vocabulary));
    rows.resize(2);
    rows[1].name = "compressed";
    rows[1].file_bytes = bytes_of(settings.compressed);
    rows[1].bits_per_weight = compared.bits_per_weight;
  }
  const qlr::Index vocabulary = original.config.vocabulary;
  for (const Sequence& sequence : sequences) {
    const std::vector<float> of_original = predictions_of(original, sequence, workers);
    add_text(sequence, vocabulary, of_original, {}, rows[0]);
    if (rows.size() == 2)
      add_text(sequence, vocabulary, predictions_of(compared.stored.model, sequence, workers), of_original, rows[1]);
  }
  measure_speed(original, sequences, workers, rows[0]);
  if (rows.size() == 2) measure_speed(compared.stored.model, sequences, workers, rows[1]);
  return settings.json ? to_json(rows.back()) : to_text(rows);
}

}  // namespace cli
