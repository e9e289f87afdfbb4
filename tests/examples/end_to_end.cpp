// What the scripts beside this file need and a shell does not have: files, good and bad, and a second opinion on a
// report.
//   write DIRECTORY                        the .npy files that the scripts name
//   damage IN OUT truncate COUNT           IN without its last COUNT bytes
//   damage IN OUT replace OLD NEW          IN with the first OLD replaced by as many bytes
//   model FILE [nan]                       a small llama2.c model of random weights, one of which is none
//   text FILE                              lines of random words
//   tensors DIRECTORY                      a model that is no Llama model, its inputs, importance matrices
//   loss MODEL NAME INPUTS DECODED         prints the relative proxy loss that the files give
//   others MODEL COMPRESSED                whether what is no layer of COMPRESSED is as in MODEL
//   check REPORT WEIGHT INPUTS DECODED     whether the report has its keys, and the loss that the files give
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "qlr/core/half.hpp"
#include "qlr/core/random.hpp"
#include "qlr/core/result.hpp"
#include "qlr/core/view.hpp"
#include "qlr/io/checkpoint.hpp"
#include "qlr/io/npy.hpp"
#include "qlr/io/safetensors_writer.hpp"

namespace {

using qlr::Index;

[[noreturn]] void fail(const std::string& sentence) {
  std::cerr << sentence << '\n';
  std::exit(1);
}

template <class T>
T get(qlr::Result<T> result) {
  if (!result.ok()) fail(result.error().message);
  return std::move(result).value();
}

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) fail("cannot read " + path);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream stream(path, std::ios::binary);
  stream << bytes;
  if (!stream.flush()) fail("cannot write " + path);
}

/// A matrix that entry(i, j) fills.
struct Dense {
  template <class Entry>
  Dense(Index rows_, Index cols_, Entry&& entry) : rows(rows_), cols(cols_) {
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < cols; ++j) values.push_back(float(entry(i, j)));
  }
  float& operator()(Index i, Index j) { return values[std::size_t(i * cols + j)]; }
  qlr::MatrixView<const float> view() const { return {values.data(), rows, cols}; }

  void write(const std::string& path, qlr::NpyOrder order = qlr::NpyOrder::C) const {
    const qlr::Status status = qlr::write_npy(path, view(), order);
    if (!status.ok()) fail(status.error().message);
  }

  Index rows;
  Index cols;
  std::vector<float> values;
};

void write_inputs(const std::string& directory) {
  constexpr Index m = 24;
  constexpr Index n = 20;
  const auto path = [&](const char* name) { return directory + "/" + name + ".npy"; };
  qlr::Random random(7);
  const auto normal = [&](Index, Index) { return random.normal(); };

  const Dense w(m, n, normal);
  w.write(path("weight"));
  w.write(path("fortran"), qlr::NpyOrder::Fortran);
  const Dense x(60, n, normal);
  x.write(path("inputs"));
  Dense h(n, n, [](Index i, Index j) { return 1.0 / double(1 + std::abs(i - j)); });
  h.write(path("hessian"));

  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  Dense bad = w;
  bad(3, 4) = nan;
  bad.write(path("weight_nan"));
  bad(3, 4) = infinity;
  bad.write(path("weight_infinite"));
  bad = x;
  bad(59, 19) = nan;
  bad.write(path("inputs_nan"));
  bad(59, 19) = -infinity;
  bad.write(path("inputs_infinite"));
  bad = h;
  bad(0, 1) = infinity;
  bad.write(path("hessian_infinite"));
  bad = h;
  bad(2, 5) += 0.1f;
  bad.write(path("hessian_asymmetric"));
  bad = h;
  bad(7, 7) = -1;
  bad.write(path("hessian_negative"));
  Dense(n, n + 1, normal).write(path("hessian_wide"));
  Dense(n + 1, n + 1, [](Index i, Index j) { return i == j; }).write(path("hessian_large"));
  Dense(60, n - 1, normal).write(path("inputs_narrow"));
  Dense(0, n, normal).write(path("inputs_none"));
  Dense(0, n, normal).write(path("weight_no_rows"));
  Dense(m, 0, normal).write(path("weight_no_columns"));
  Dense(m, n, [](Index, Index) { return 0; }).write(path("weight_zero"));
  Dense(60, n, [](Index, Index) { return 0; }).write(path("inputs_zero"));
  Dense(1, 1, [](Index, Index) { return 0.5; }).write(path("one_weight"));
  Dense(1, 1, [](Index, Index) { return 2; }).write(path("one_input"));
  Dense(1, n, normal).write(path("one_row"));
  Dense(12, 130, normal).write(path("weight_130"));
  Dense(60, 130, [&](Index, Index j) { return j % 13 < 10 ? 0 : random.normal(); }).write(path("inputs_dead"));

  const std::string good = read_file(path("weight"));
  const auto replaced = [&](const std::string& old_text, const std::string& new_text) {
    std::string bytes = good;
    const std::size_t at = bytes.find(old_text);
    if (at == std::string::npos || old_text.size() != new_text.size()) fail("cannot replace " + old_text);
    return bytes.replace(at, old_text.size(), new_text);
  };
  write_file(path("truncated"), good.substr(0, good.size() - 5));
  write_file(path("truncated_header"), good.substr(0, 40));
  write_file(path("longer"), good + "12345");
  write_file(path("lying_shape"), replaced("(24, 20)", "(24, 21)"));
  write_file(path("huge_shape"), replaced("(24, 20), }             ", "(99999999999, 999999), }"));
  write_file(path("wrong_magic"), replaced("NUMPY", "NUMPI"));
  write_file(path("version_9"), replaced(std::string("\x01\x00", 2), std::string("\x09\x00", 2)));
  write_file(path("integers"), replaced("<f4", "<i4"));
  write_file(path("three_dimensions"), replaced("(24, 20), } ", "(2,12, 20),}"));
  write_file(path("empty"), "");
}

/// Version 0: seven lengths; embedding, norms and matrices, those of one kind together; tables that nobody
/// reads. Keys and values have half as many heads, and the output matrix is the embedding.
void write_model(const std::string& path, bool has_nan) {
  constexpr std::int32_t dim = 64, hidden = 96, blocks = 2, heads = 4, key_heads = 2, vocabulary = 512, positions = 64;
  constexpr std::int32_t key = dim / heads * key_heads;
  std::string bytes;
  const auto append = [&](const void* data, std::size_t size) { bytes.append(static_cast<const char*>(data), size); };
  for (const std::int32_t length : {dim, hidden, blocks, heads, key_heads, vocabulary, positions})
    append(&length, sizeof length);
  qlr::Random random(11);
  const auto append_random = [&](std::int32_t count, double size, double mean) {
    for (std::int32_t i = 0; i < count; ++i) {
      const float value = float(mean + size * random.normal());
      append(&value, sizeof value);
    }
  };
  const auto append_matrices = [&](std::int32_t rows, std::int32_t cols) {
    append_random(blocks * rows * cols, 1 / std::sqrt(double(cols)), 0);
  };
  append_random(vocabulary * dim, 0.2, 0);
  append_random(blocks * dim, 0.1, has_nan ? std::numeric_limits<double>::quiet_NaN() : 1);
  append_matrices(dim, dim);
  append_matrices(key, dim);
  append_matrices(key, dim);
  append_matrices(dim, dim);
  append_random(blocks * dim, 0.1, 1);
  append_matrices(hidden, dim);
  append_matrices(dim, hidden);
  append_matrices(hidden, dim);
  append_random(dim, 0.1, 1);
  append_random(positions * (dim / heads), 1, 0);
  write_file(path, bytes);
}

void write_text(const std::string& path) {
  qlr::Random random(12);
  std::string text;
  for (int line = 0; line < 60; ++line) {
    for (int word = 0; word < 12; ++word) {
      for (std::uint64_t letters = 1 + random.below(6); letters > 0; --letters)
        text += static_cast<char>('a' + int(random.below(26)));
      text += word == 11 ? '\n' : ' ';
    }
  }
  write_file(path, text);
}

/// A safetensors model that is being put together.
struct Tensors {
  /// @param convert makes a stored element of a float
  template <class Convert>
  void add(const std::string& name, qlr::Dtype dtype, qlr::Shape shape, const std::vector<float>& values,
           Convert&& convert) {
    headers.push_back({name, dtype, std::move(shape)});
    data.emplace_back();
    for (const float value : values) {
      const auto stored = convert(value);
      data.back().append(reinterpret_cast<const char*>(&stored), sizeof stored);
    }
  }
  void add(const std::string& name, qlr::Shape shape, const std::vector<float>& values) {
    add(name, qlr::Dtype::F32, std::move(shape), values, [](float value) { return value; });
  }
  void write(const std::string& path) const {
    qlr::SafetensorsWriter writer = get(qlr::SafetensorsWriter::create(path, headers, {{"format", "pt"}}));
    for (const std::string& bytes : data)
      if (const qlr::Status status = writer.write(bytes.data(), bytes.size()); !status) fail(status.error().message);
    if (const qlr::Status status = writer.commit(); !status) fail(status.error().message);
  }

  std::vector<qlr::TensorHeader> headers;
  std::vector<std::string> data;
};

/// What llama.cpp writes of a model: for each of these matrices the sums of squares of what each column received.
struct Importance {
  struct Tensor {
    std::string name;
    std::vector<float> values;
  };

  void add(const std::string& name, const Dense& x) {
    std::vector<float> sums(std::size_t(x.cols), 0);
    for (std::size_t k = 0; k < x.values.size(); ++k) sums[k % sums.size()] += x.values[k] * x.values[k];
    tensors.push_back({name + ".in_sum2", std::move(sums)});
    tensors.push_back({name + ".counts", {float(x.rows)}});
  }

  /// Version 3: each tensor of shape (1, values), at a multiple of 32 bytes.
  void write(const std::string& path) const {
    std::string bytes = "GGUF";
    const auto integer = [&](auto value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
    const auto text = [&](const std::string& value) {
      integer(std::uint64_t(value.size()));
      bytes += value;
    };
    integer(std::uint32_t(3));
    integer(std::uint64_t(tensors.size()));
    integer(std::uint64_t(1));
    text("general.type");
    integer(std::uint32_t(8));
    text("imatrix");
    std::string data;
    for (const Tensor& tensor : tensors) {
      text(tensor.name);
      integer(std::uint32_t(2));
      integer(std::uint64_t(tensor.values.size()));
      integer(std::uint64_t(1));
      integer(std::uint32_t(0));
      integer(std::uint64_t(data.size()));
      data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
      data.resize((data.size() + 31) / 32 * 32);
    }
    bytes.resize((bytes.size() + 31) / 32 * 32);
    write_file(path, bytes + data);
  }

  std::vector<Tensor> tensors;
};

/// The importance matrix, and what is wrong in others.
void write_importance(const std::string& directory, const Importance& good) {
  good.write(directory + "/importance.gguf");
  const auto write = [&](const std::string& name, std::size_t tensor, const std::vector<float>& values) {
    Importance changed = good;
    changed.tensors[tensor].values = values;
    changed.write(directory + "/importance_" + name + ".gguf");
  };
  std::vector<float> sums = good.tensors[0].values;
  sums[5] = std::numeric_limits<float>::quiet_NaN();
  write("nan", 0, sums);
  sums[5] = -1;
  write("negative", 0, sums);
  sums.resize(63);
  write("narrow", 0, sums);
  write("no_counts", 1, {0});
  write("negative_counts", 1, {-1});
  write("many_counts", 1, {8, 8});
}

/// Matrices (48,64) of every type of floats, a transposed one, and what is none; inputs whose columns differ in size
/// and go together, but those of one matrix.
void write_tensors(const std::string& directory) {
  constexpr Index m = 48;
  constexpr Index n = 64;
  qlr::Random random(13);
  const auto normal = [&](Index, Index) { return random.normal(); };
  const Dense mix(n, n,
                  [&](Index i, Index j) { return (i == j ? 1 : 0.3 * random.normal()) * std::exp2(double(j % 7)); });
  const auto inputs = [&] {
    const Dense z(400, n, normal);
    return Dense(400, n, [&](Index token, Index j) {
      double sum = 0;
      for (Index i = 0; i < n; ++i) sum += double(z.view().row(token)[i]) * double(mix.view().row(i)[j]);
      return sum;
    });
  };
  const auto path = [&](const std::string& name) { return directory + "/inputs/" + name + ".npy"; };
  Tensors model;
  Importance importance;

  const Dense query(m, n, normal);
  const Dense transposed(n, m, [&](Index i, Index j) { return query.view().row(j)[i]; });
  const Dense query_inputs = inputs();
  model.add("encoder.layer.0.query.weight", {m, n}, query.values);
  model.add("h.0.c_attn.weight", {n, m}, transposed.values);
  query_inputs.write(path("encoder.layer.0.query"));
  query_inputs.write(path("h.0.c_attn"));
  Dense bad = query_inputs;
  bad(3, 4) = std::numeric_limits<float>::quiet_NaN();
  bad.write(directory + "/x_nan.npy");
  importance.add("encoder.layer.0.query.weight", query_inputs);

  const auto add = [&](const std::string& name, qlr::Dtype dtype, const std::string& gguf_name, auto&& convert) {
    const Dense x = dtype == qlr::Dtype::F64 ? Dense(400, n, normal) : inputs();
    model.add(name, dtype, {m, n}, Dense(m, n, normal).values, convert);
    x.write(path(name));
    importance.add(gguf_name, x);
  };
  add("encoder.layer.1.query.weight", qlr::Dtype::F16, "encoder.layer.1.query.weight", qlr::to_half);
  add("encoder.layer.1.dense.weight", qlr::Dtype::F64, "encoder.layer.1.dense.weight",
      [](float v) { return double(v); });
  add("model.layers.2.mlp.up_proj.weight", qlr::Dtype::BF16, "blk.2.ffn_up.weight",
      [](float value) { return qlr::to_bfloat(value); });

  model.add("embeddings.weight", {100, n}, Dense(100, n, normal).values);
  model.add("encoder.layer.0.query.bias", {m}, Dense(1, m, normal).values);
  model.add("encoder.layer.1.query.bias", qlr::Dtype::F16, {m}, Dense(1, m, normal).values, qlr::to_half);
  model.add("position_ids", qlr::Dtype::I64, {1, 5}, {0, 1, 2, 3, 4}, [](float value) { return std::int64_t(value); });
  model.add("conv.weight", {4, 3, 2}, Dense(4, 6, normal).values);
  model.write(directory + "/tensors.safetensors");
  model.add("unknown.weight", {2, n}, std::vector<float>(2 * n, std::numeric_limits<float>::quiet_NaN()));
  model.write(directory + "/tensors_nan.safetensors");
  write_importance(directory, importance);
}

/// sqrt(||(W - What) X||^2 / ||W X||^2); W (m,n), X (tokens,n), What (m,n).
double loss_of(const std::vector<double>& w, const qlr::NpyMatrix<double>& x, const qlr::NpyMatrix<double>& what) {
  double error = 0, total = 0;
  for (Index token = 0; token < x.rows; ++token)
    for (Index i = 0; i < what.rows; ++i) {
      double difference = 0, output = 0;
      for (Index j = 0; j < what.cols; ++j) {
        const double weight = w[std::size_t(i * what.cols + j)];
        difference += (weight - what.view().row(i)[j]) * x.view().row(token)[j];
        output += weight * x.view().row(token)[j];
      }
      error += difference * difference;
      total += output * output;
    }
  return std::sqrt(error / total);
}

void print_loss(const std::vector<std::string>& arguments) {
  const qlr::Checkpoint model = get(qlr::Checkpoint::open(arguments[0]));
  const qlr::CheckpointTensor* tensor = model.find(arguments[1]);
  if (tensor == nullptr) fail("no tensor " + arguments[1]);
  const std::vector<float> w = get(model.read(*tensor));
  const auto x = get(qlr::read_npy<double>(arguments[2]));
  const auto what = get(qlr::read_npy<double>(arguments[3]));
  if (what.rows != tensor->rows() || what.cols != tensor->row_size() || x.cols != what.cols) fail("shapes differ");
  std::cout << loss_of({w.begin(), w.end()}, x, what) << '\n';
}

void check_others(const std::vector<std::string>& arguments) {
  const qlr::Checkpoint model = get(qlr::Checkpoint::open(arguments[0]));
  const qlr::MappedFile bytes = get(qlr::MappedFile::open(arguments[1]));
  const qlr::Safetensors compressed = get(qlr::Safetensors::parse(bytes.data(), bytes.size()));
  for (const qlr::CheckpointTensor& tensor : model.tensors()) {
    const qlr::StoredTensor* stored = compressed.find(tensor.name);
    const bool is_layer = compressed.metadata().count("type:" + tensor.name) > 0;
    if (is_layer != (stored == nullptr)) fail(tensor.name + ": expected it as a layer or a tensor");
    if (is_layer) continue;
    if (stored->dtype != tensor.dtype || stored->shape != tensor.shape) fail(tensor.name + ": another type or shape");
    const auto stored_bytes = compressed.bytes(*stored);
    if (!std::equal(tensor.bytes.begin(), tensor.bytes.end(), stored_bytes.begin(), stored_bytes.end()))
      fail(tensor.name + ": other bytes");
  }
}

void damage(const std::vector<std::string>& arguments) {
  std::string bytes = read_file(arguments[0]);
  if (arguments[2] == "truncate") {
    bytes.resize(bytes.size() - std::size_t(std::stol(arguments[3])));
  } else {
    const std::size_t at = bytes.find(arguments[3]);
    if (at == std::string::npos || arguments[3].size() != arguments[4].size()) fail("cannot replace " + arguments[3]);
    bytes.replace(at, arguments[3].size(), arguments[4]);
  }
  write_file(arguments[1], bytes);
}

/// A JSON value.
struct Json {
  enum class Kind { null, number, string, array, object };
  Kind kind = Kind::null;
  double number = 0;
  std::string string;
  std::vector<Json> array;
  std::map<std::string, Json> object;

  void expect_keys(const char* what, const std::vector<std::string>& keys) const {
    if (kind != Kind::object || object.size() != keys.size()) fail(std::string("wrong number of keys in ") + what);
    for (const std::string& key : keys)
      if (object.count(key) == 0) fail(std::string("no key ") + key + " in " + what);
  }
};

/// Reads the JSON that a report may hold: no escapes, no booleans.
class JsonParser {
 public:
  explicit JsonParser(const std::string& text) : text_(text) {}

  Json read() {
    const Json value = read_value();
    if (skip_space(); at_ != text_.size()) fail("the report goes on after its object");
    return value;
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \n", at_), text_.size()); }
  bool accept(char wanted) {
    skip_space();
    const bool is_there = at_ < text_.size() && text_[at_] == wanted;
    at_ += is_there ? 1 : 0;
    return is_there;
  }
  void expect(char wanted) {
    if (!accept(wanted)) fail(std::string("expected ") + wanted + " at byte " + std::to_string(at_) + " of the report");
  }
  std::string read_string() {
    expect('"');
    const std::size_t begin = at_;
    at_ = text_.find('"', begin);
    if (at_ == std::string::npos) fail("a string of the report has no end");
    return text_.substr(begin, at_++ - begin);
  }
  Json read_value() {
    Json value;
    if (accept('{')) {
      value.kind = Json::Kind::object;
      if (accept('}')) return value;
      do {
        const std::string key = read_string();
        expect(':');
        if (!value.object.emplace(key, read_value()).second) fail("key " + key + " twice");
      } while (accept(','));
      expect('}');
    } else if (accept('[')) {
      value.kind = Json::Kind::array;
      if (accept(']')) return value;
      do value.array.push_back(read_value());
      while (accept(','));
      expect(']');
    } else if (skip_space(); text_.compare(at_, 4, "null") == 0) {
      at_ += 4;
    } else if (at_ < text_.size() && text_[at_] == '"') {
      value.kind = Json::Kind::string;
      value.string = read_string();
    } else {
      value.kind = Json::Kind::number;
      char* end = nullptr;
      value.number = std::strtod(text_.c_str() + at_, &end);
      if (end == text_.c_str() + at_) fail("expected a value at byte " + std::to_string(at_) + " of the report");
      at_ = std::size_t(end - text_.c_str());
    }
    return value;
  }

  std::string text_;
  std::size_t at_ = 0;
};

void expect_near(const char* what, double got, double wanted) {
  if (!(std::abs(got - wanted) <= 1e-4 * wanted))
    fail(std::string(what) + ": " + std::to_string(wanted) + " by the files, " + std::to_string(got) + " reported");
}

void check(const std::vector<std::string>& arguments) {
  const Json report = JsonParser(read_file(arguments[0])).read();
  const auto w = get(qlr::read_npy<double>(arguments[1]));
  const auto x = get(qlr::read_npy<double>(arguments[2]));
  const auto what = get(qlr::read_npy<double>(arguments[3]));
  report.expect_keys("the report",
                     {"rows", "cols", "bits_per_weight", "relative_proxy_loss", "relative_frobenius_error",
                      "held_out_loss", "shrinkage", "seconds", "stages", "iterations"});
  report.object.at("shrinkage").expect_keys("the shrinkage", {"diagonal", "damping"});
  const auto number = [&](const char* key) { return report.object.at(key).number; };
  if (number("rows") != double(w.rows) || number("cols") != double(w.cols)) fail("the report has another shape");
  if (what.rows != w.rows || what.cols != w.cols || what.dtype != qlr::Dtype::F32)
    fail("the decoded matrix has another shape or is not of floats");
  double stages = 0;
  for (const auto& stage : report.object.at("stages").object) stages += stage.second.number;
  if (!(number("seconds") >= 0) || stages > number("seconds") * 1.01 + 1e-3)
    fail("the stages take longer than the whole");
  if (report.object.at("iterations").array.empty()) fail("no iterations");
  for (const Json& step : report.object.at("iterations").array) step.expect_keys("an iteration", {"step", "loss"});

  double error = 0, total = 0;
  for (std::size_t k = 0; k < w.values.size(); ++k) {
    error += std::pow(w.values[k] - what.values[k], 2);
    total += std::pow(w.values[k], 2);
  }
  expect_near("relative_frobenius_error", number("relative_frobenius_error"), std::sqrt(error / total));
  expect_near("relative_proxy_loss", number("relative_proxy_loss"), loss_of(w.values, x, what));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 2), argv + argc);
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "write" && arguments.size() == 1)
    write_inputs(arguments[0]);
  else if (command == "model" && (arguments.size() == 1 || (arguments.size() == 2 && arguments[1] == "nan")))
    write_model(arguments[0], arguments.size() == 2);
  else if (command == "text" && arguments.size() == 1)
    write_text(arguments[0]);
  else if (command == "tensors" && arguments.size() == 1)
    write_tensors(arguments[0]);
  else if (command == "loss" && arguments.size() == 4)
    print_loss(arguments);
  else if (command == "others" && arguments.size() == 2)
    check_others(arguments);
  else if (command == "damage" && arguments.size() >= 4)
    damage(arguments);
  else if (command == "check" && arguments.size() == 4)
    check(arguments);
  else
    fail("expected write, model, text, tensors, loss, others, damage or check with their arguments");
}
