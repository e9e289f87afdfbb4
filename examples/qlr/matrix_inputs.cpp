#include "matrix_inputs.hpp"

#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "qlr/core/eigen.hpp"
#include "qlr/core/expect.hpp"
#include "qlr/core/result.hpp"
#include "qlr/decomposition/held_out.hpp"
#include "qlr/io/gguf.hpp"
#include "qlr/io/gguf_model.hpp"
#include "qlr/io/mapped_file.hpp"
#include "qlr/io/npy.hpp"
#include "qlr/io/path.hpp"

namespace cli {

namespace {

class NoInputs final : public MatrixInputs {
 public:
  std::string kind() const override { return "no inputs"; }
  void add_to(Fingerprint&, const std::string&, qlr::Index) const override {}
  std::vector<qlr::Hessian> hessians(const std::string&, qlr::Index n) const override {
    return {qlr::Hessian::from_matrix(qlr::Matrix::Identity(n, n))};
  }
};

class RecordedInputs final : public MatrixInputs {
 public:
  explicit RecordedInputs(const CompressSettings& settings)
      : folder_(settings.inputs.back() == '/' ? settings.inputs : settings.inputs + '/'), threads_(settings.threads) {}

  std::string kind() const override { return "inputs"; }

  void add_to(Fingerprint& fingerprint, const std::string& tensor, qlr::Index n) const override {
    const std::vector<float> values = read(tensor, n).values;
    fingerprint.add(values.data(), values.size() * sizeof(float));
  }

  std::vector<qlr::Hessian> hessians(const std::string& tensor, qlr::Index n) const override {
    return qlr::split_hessians(read(tensor, n).view(), threads_);
  }

 private:
  std::string path_of(const std::string& tensor) const {
    constexpr std::string_view weight = ".weight";
    const std::string path = folder_ + tensor + ".npy";
    if (qlr::is_present(path)) return path;
    if (!qlr::ends_with(tensor, weight)) throw std::runtime_error("expected a file " + path + ", got none");
    const std::string shorter = folder_ + tensor.substr(0, tensor.size() - weight.size()) + ".npy";
    if (!qlr::is_present(shorter))
      throw std::runtime_error("expected a file " + path + " or " + shorter + ", got none");
    return shorter;
  }

  qlr::NpyMatrix<float> read(const std::string& tensor, qlr::Index n) const {
    const std::string path = path_of(tensor);
    qlr::NpyMatrix<float> inputs = qlr::value_or_throw(qlr::read_npy<float>(path));
    if (inputs.rows < 1 || inputs.cols != n)
      throw std::runtime_error(path + ": expected at least one row of " + std::to_string(n) + " columns, got shape " +
                               qlr::to_string(inputs.shape));
    for (const float value : inputs.values)
      if (!std::isfinite(value))
        throw std::runtime_error(path + ": expected finite inputs, got " + std::to_string(value));
    return inputs;
  }

  std::string folder_;
  int threads_;
};

class Importance final : public MatrixInputs {
 public:
  explicit Importance(const std::string& path)
      : path_(path), bytes_(qlr::value_or_throw(qlr::MappedFile::open(path))), file_(parse()) {
    const qlr::Result<std::string_view> type = file_.text("general.type");
    if (!type || *type != "imatrix")
      throw error("expected a general.type \"imatrix\", got " + (type ? qlr::quoted(*type) : "none"));
    for (const qlr::GgufTensor& tensor : file_.tensors()) {
      if (!qlr::ends_with(tensor.name, sums)) continue;
      const std::string_view name = tensor.name.substr(0, tensor.name.size() - sums.size());
      names_.emplace(name, name);
      if (const std::optional<std::string> other = qlr::hugging_face_name(name)) names_.emplace(*other, name);
    }
  }

  std::string kind() const override { return "importance"; }

  void add_to(Fingerprint& fingerprint, const std::string& tensor, qlr::Index n) const override {
    const qlr::Vector values = diagonal(tensor, n);
    fingerprint.add(values.data(), std::size_t(values.size()) * sizeof(double));
  }

  std::vector<qlr::Hessian> hessians(const std::string& tensor, qlr::Index n) const override {
    return {qlr::Hessian::from_matrix(diagonal(tensor, n).asDiagonal().toDenseMatrix())};
  }

 private:
  static constexpr std::string_view sums = ".in_sum2";
  static constexpr std::string_view counts = ".counts";

  std::runtime_error error(const std::string& sentence) const { return std::runtime_error(path_ + ": " + sentence); }

  qlr::Gguf parse() const {
    qlr::Result<qlr::Gguf> file = qlr::Gguf::parse(bytes_.data(), bytes_.size());
    if (!file) throw error(file.error().message);
    return *std::move(file);
  }

  /// Of a tensor that has as many.
  std::vector<float> values_of(const std::string& name, qlr::Index count) const {
    const qlr::GgufTensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) throw error("expected a tensor " + qlr::quoted(name) + ", got none of that name");
    std::vector<float> values(static_cast<std::size_t>(count));
    const std::size_t size = values.size() * sizeof(float);
    if (tensor->dtype != qlr::Dtype::F32 || std::size_t(tensor->bytes.size()) != size)
      throw error("tensor " + qlr::quoted(name) + ": expected F32 of " + std::to_string(count) + " elements, got " +
                  qlr::ggml_type_name(tensor->type) + " " + qlr::to_string(tensor->shape));
    std::memcpy(values.data(), tensor->bytes.data(), size);
    for (const float value : values)
      if (!(std::isfinite(value) && value >= 0))
        throw error("tensor " + qlr::quoted(name) + ": expected finite values of 0 or more, got " +
                    std::to_string(value));
    return values;
  }

  qlr::Vector diagonal(const std::string& tensor, qlr::Index n) const {
    const auto name = names_.find(tensor);
    if (name == names_.end())
      throw error("expected a tensor " + qlr::quoted(tensor + std::string(sums)) + ", or under GGUF's name, got none");
    const std::vector<float> sum = values_of(name->second + std::string(sums), n);
    const double count = values_of(name->second + std::string(counts), 1).front();
    if (count == 0) return qlr::Vector::Zero(n);
    return Eigen::Map<const Eigen::VectorXf>(sum.data(), n).cast<double>() / count;
  }

  std::string path_;
  qlr::MappedFile bytes_;
  qlr::Gguf file_;
  std::map<std::string, std::string> names_;  // of the model's tensors, and what the file calls them
};

}  // namespace

std::unique_ptr<MatrixInputs> open_matrix_inputs(const CompressSettings& settings) {
  if (!settings.inputs.empty()) return std::make_unique<RecordedInputs>(settings);
  if (!settings.importance.empty()) return std::make_unique<Importance>(settings.importance);
  return std::make_unique<NoInputs>();
}

}  // namespace cli
