#include "llama/run_block.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "llama/session.hpp"
#include "qlr/core/random.hpp"
#include "random_model.hpp"

// The forward pass against plain loops in double, token by token without a cache.

using llama::Index;

namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;

Row times(const llama::Linear& matrix, const Row& x) {
  const auto& dense = dynamic_cast<const llama::DenseLinear&>(matrix);
  Row y(static_cast<std::size_t>(dense.rows()));
  for (Index i = 0; i < dense.rows(); ++i)
    for (Index j = 0; j < dense.cols(); ++j) y[std::size_t(i)] += double(dense.row(i)[j]) * x[std::size_t(j)];
  return y;
}

Row normed(const Row& x, const std::vector<float>& norm, double epsilon) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  Row y;
  for (std::size_t i = 0; i < x.size(); ++i)
    y.push_back(x[i] / std::sqrt(squares / double(x.size()) + epsilon) * double(norm[i]));
  return y;
}

void rotate(Row& x, Index position, const qlr::LlamaConfig& config) {
  const Index half = config.head_dim / 2;
  for (Index head = 0; head < Index(x.size()) / config.head_dim; ++head)
    for (Index i = 0; i < half; ++i) {
      const double angle = double(position) * std::pow(config.rope_base, -double(i) / double(half));
      const bool halves = config.rope_pairs == qlr::RopePairs::halves;
      double& a = x[std::size_t(head * config.head_dim + (halves ? i : 2 * i))];
      double& b = x[std::size_t(head * config.head_dim + (halves ? i + half : 2 * i + 1))];
      const double turned = a * std::cos(angle) - b * std::sin(angle);
      b = a * std::sin(angle) + b * std::cos(angle);
      a = turned;
    }
}

Row attended(const Rows& q, const Rows& k, const Rows& v, std::size_t token, const qlr::LlamaConfig& config) {
  Row out(q[token].size());
  for (Index head = 0; head < config.heads; ++head) {
    const Index own = head * config.head_dim;
    const Index shared = head * config.key_value_heads / config.heads * config.head_dim;
    Row weights;
    double sum = 0;
    for (std::size_t p = 0; p <= token; ++p) {
      double score = 0;
      for (Index i = 0; i < config.head_dim; ++i)
        score += q[token][std::size_t(own + i)] * k[p][std::size_t(shared + i)];
      weights.push_back(std::exp(score / std::sqrt(double(config.head_dim))));
      sum += weights.back();
    }
    for (std::size_t p = 0; p <= token; ++p)
      for (Index i = 0; i < config.head_dim; ++i)
        out[std::size_t(own + i)] += weights[p] / sum * v[p][std::size_t(shared + i)];
  }
  return out;
}

/// Logits behind every token.
Rows reference(const llama::Model& model, const std::vector<int>& tokens) {
  const qlr::LlamaConfig& config = model.config;
  Rows hidden;
  for (const int token : tokens)
    hidden.emplace_back(model.embedding.row(token), model.embedding.row(token) + config.dim);
  for (const llama::Block& block : model.blocks) {
    Rows q, k, v;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      const Row x = normed(hidden[t], block.attention_norm, config.norm_epsilon);
      q.push_back(times(*block.query, x));
      k.push_back(times(*block.key, x));
      v.push_back(times(*block.value, x));
      rotate(q.back(), Index(t), config);
      rotate(k.back(), Index(t), config);
    }
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      const Row added = times(*block.output, attended(q, k, v, t, config));
      for (std::size_t i = 0; i < added.size(); ++i) hidden[t][i] += added[i];
      const Row x = normed(hidden[t], block.feed_forward_norm, config.norm_epsilon);
      Row gate = times(*block.gate, x);
      const Row up = times(*block.up, x);
      for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
      const Row fed = times(*block.down, gate);
      for (std::size_t i = 0; i < fed.size(); ++i) hidden[t][i] += fed[i];
    }
  }
  Rows logits;
  for (const Row& x : hidden) logits.push_back(times(model.output(), normed(x, model.final_norm, config.norm_epsilon)));
  return logits;
}

std::vector<int> random_tokens(std::size_t count, Index vocabulary) {
  qlr::Random random(9);
  std::vector<int> tokens;
  while (tokens.size() < count) tokens.push_back(int(random.below(std::uint64_t(vocabulary))));
  return tokens;
}

qlr::Span<const int> part(const std::vector<int>& tokens, std::size_t begin, std::size_t end) {
  return {tokens.data() + begin, Index(end - begin)};
}

}  // namespace

TEST_CASE("logits are those of plain loops in double") {
  for (const auto pairs : {qlr::RopePairs::neighbours, qlr::RopePairs::halves})
    for (const Index key_value_heads : {4, 2, 1})
      for (const bool tied : {false, true}) {
        const llama::Model model = random_model(config_of(pairs, key_value_heads), tied);
        const std::vector<int> tokens = random_tokens(19, model.config.vocabulary);
        const Rows expected = reference(model, tokens);
        llama::Workers workers;
        llama::Session session(model, workers);
        const auto logits = session.append(part(tokens, 0, tokens.size()), llama::Logits::all);
        REQUIRE(logits.ok());
        REQUIRE(logits->size() == tokens.size() * 17);
        double worst = 0, largest = 0;
        for (std::size_t i = 0; i < logits->size(); ++i) {
          worst = std::max(worst, std::abs(double((*logits)[i]) - expected[i / 17][i % 17]));
          largest = std::max(largest, std::abs(expected[i / 17][i % 17]));
        }
        CHECK(worst < 1e-5 * largest);
      }
}

TEST_CASE("a text may come in any parts, and on any number of threads") {
  const llama::Model model = random_model(config_of(qlr::RopePairs::halves, 2), false);
  const std::vector<int> tokens = random_tokens(24, model.config.vocabulary);
  llama::Workers workers, more(3);
  llama::Session whole(model, workers);
  const auto expected = whole.append(part(tokens, 0, 24), llama::Logits::all);
  REQUIRE(expected.ok());
  for (const std::size_t step : {1u, 2u, 5u, 23u}) {
    llama::Session session(model, step == 2 ? more : workers);
    std::vector<float> logits, last;
    for (std::size_t begin = 0; begin < 24; begin += step) {
      const auto some =
          session.append(part(tokens, begin, std::min<std::size_t>(24, begin + step)), llama::Logits::all);
      REQUIRE(some.ok());
      logits.insert(logits.end(), some->begin(), some->end());
    }
    CHECK(logits == *expected);
  }
  whole.rewind(10);
  const auto again = whole.append(part(tokens, 10, 24));
  REQUIRE(again.ok());
  CHECK(*again == std::vector<float>(expected->end() - 17, expected->end()));
}

TEST_CASE("an observer sees what the matrices multiply") {
  const qlr::LlamaConfig config = config_of(qlr::RopePairs::neighbours, 2);
  const llama::Model model = random_model(config, true);
  llama::Workers workers;
  qlr::Random random(3);
  std::vector<float> hidden = random_floats(5 * config.dim, 1, random);
  const std::vector<float> before = hidden;
  llama::KeyValueCache cache;
  std::vector<llama::BlockInput> kinds;
  std::vector<float> inputs[llama::block_inputs], sums[llama::block_inputs];
  llama::run_block(config, model.blocks[0], hidden.data(), 5, 0, cache, workers, [&](const llama::BlockMoment& moment) {
    CHECK(moment.tokens == 5);
    kinds.push_back(moment.kind);
    inputs[std::size_t(moment.kind)].assign(moment.x, moment.x + 5 * moment.cols);
    sums[std::size_t(moment.kind)].assign(moment.hidden, moment.hidden + 5 * config.dim);
  });
  using Kind = llama::BlockInput;
  CHECK(kinds == std::vector<Kind>{Kind::attention, Kind::output, Kind::feed_forward, Kind::down});
  CHECK(cache.positions == 5);
  for (const llama::BlockMatrix& entry : llama::block_matrices)
    CHECK(Index(inputs[std::size_t(entry.input)].size()) == 5 * (model.blocks[0].*entry.matrix)->cols());
  // h' = h + W_output x_output + W_down x_down
  std::vector<float> added(hidden.size()), fed(hidden.size());
  model.blocks[0].output->multiply(inputs[std::size_t(Kind::output)].data(), 5, added.data(), workers);
  model.blocks[0].down->multiply(inputs[std::size_t(Kind::down)].data(), 5, fed.data(), workers);
  for (std::size_t i = 0; i < hidden.size(); ++i) CHECK(hidden[i] == before[i] + added[i] + fed[i]);
  CHECK(sums[std::size_t(Kind::attention)] == before);
  CHECK(sums[std::size_t(Kind::output)] == before);
  CHECK(sums[std::size_t(Kind::down)] == sums[std::size_t(Kind::feed_forward)]);
  for (std::size_t i = 0; i < hidden.size(); ++i) CHECK(sums[std::size_t(Kind::down)][i] == before[i] + added[i]);
  std::vector<float> keys(static_cast<std::size_t>(5 * 2 * config.head_dim));
  model.blocks[0].value->multiply(inputs[std::size_t(Kind::attention)].data(), 5, keys.data(), workers);
  CHECK(keys == cache.values);
}

TEST_CASE("tokens that there are not, and too many, are refused") {
  const llama::Model model = random_model(config_of(qlr::RopePairs::halves, 4), false);
  llama::Workers workers;
  llama::Session session(model, workers);
  const auto message = [&](const std::vector<int>& tokens) {
    const auto logits = session.append(part(tokens, 0, tokens.size()));
    return logits.ok() ? "" : logits.error().message;
  };
  CHECK(message({17}) == "expected tokens below 17, got 17");
  CHECK(message({1, -1}) == "expected tokens below 17, got -1");
  CHECK(message(std::vector<int>(25, 1)) == "expected at most 24 tokens, got 25");
  CHECK(session.position() == 0);
  CHECK(message(std::vector<int>(24, 1)).empty());
  CHECK(message({1}) == "expected at most 24 tokens, got 25");
  CHECK(session.append(part({}, 0, 0))->empty());
  CHECK(session.position() == 24);
}
