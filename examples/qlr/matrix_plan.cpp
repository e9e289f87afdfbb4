#include "matrix_plan.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "qlr/core/expect.hpp"
#include "qlr/model/allocation.hpp"

namespace cli {

namespace {

std::string to_text(const Measured& measured) {
  std::ostringstream text;
  text.precision(17);
  text << measured.harm;
  for (const Way& way : measured.ways) text << ' ' << way.bits << ' ' << way.loss;
  return text.str();
}

/// Numbers of a part that was finished, for ways as they would be made anew.
Measured from_text(const std::string& text, Method method, const CompressSettings& settings) {
  std::istringstream numbers(text);
  Measured measured;
  if (!(numbers >> measured.harm)) throw std::runtime_error("expected a harm in a part, got " + text);
  for (double bits = 0, loss = 0; numbers >> bits >> loss;)
    measured.ways.push_back(
        way_again(method, matrix_settings(settings), settings.bits, measured.ways.size(), bits, loss));
  return measured;
}

std::string part_of(const PlannedMatrix& matrix) { return "plan " + matrix.name; }

bool has_measured(const qlr::Parts& parts, const PlannedMatrix& matrix) {
  return parts.text(part_of(matrix)).has_value();
}

void allocate_ways(const CompressSettings& settings, std::vector<PlannedMatrix>& matrices,
                   const std::vector<Measured>& measured) {
  std::vector<std::vector<qlr::Choice>> choices;
  double weights = 0;
  for (std::size_t m = 0; m < matrices.size(); ++m) {
    const double reference = measured[m].nearest_way(settings.bits).loss;
    std::vector<qlr::Choice>& here = choices.emplace_back();
    for (const Way& way : measured[m].ways)
      here.push_back(
          {way.bits * matrices[m].weights(), reference > 0 ? measured[m].harm * std::pow(way.loss / reference, 2) : 0});
    weights += matrices[m].weights();
  }
  const std::vector<std::size_t> chosen = qlr::allocate(choices, settings.bits * weights);
  for (std::size_t m = 0; m < matrices.size(); ++m) matrices[m].way = measured[m].ways[chosen[m]];
}

}  // namespace

std::vector<const PlannedMatrix*> costliest_first(const std::vector<PlannedMatrix>& matrices,
                                                  const std::function<bool(const PlannedMatrix&)>& is_wanted) {
  std::vector<const PlannedMatrix*> wanted;
  for (const PlannedMatrix& matrix : matrices)
    if (is_wanted(matrix)) wanted.push_back(&matrix);
  const auto cost = [](const PlannedMatrix* matrix) { return matrix->weights() * double(matrix->cols); };
  std::stable_sort(wanted.begin(), wanted.end(),
                   [&](const PlannedMatrix* a, const PlannedMatrix* b) { return cost(a) > cost(b); });
  return wanted;
}

Settings matrix_settings(const CompressSettings& settings) {
  Settings result;
  result.seed = settings.seed;
  result.threads = settings.threads;
  return result;
}

const Way& Measured::nearest_way(double bits) const {
  std::size_t best = 0;
  for (std::size_t k = 1; k < ways.size(); ++k)
    if (std::abs(ways[k].bits - bits) < std::abs(ways[best].bits - bits)) best = k;
  return ways[best];
}

Measured measure_ways(const CompressSettings& settings, const PlannedMatrix& matrix, const qlr::Matrix& w,
                      const std::vector<qlr::Hessian>& folds) {
  Measured measured;
  measured.ways = ways(find_method(settings.method), matrix_settings(settings), settings.bits, w, folds);
  if (measured.ways.empty()) qlr::refuse("expected a way to compress ", matrix.name, ", got none");
  return measured;
}

bool claim_measuring(const qlr::Parts& parts, const PlannedMatrix& matrix) {
  return !has_measured(parts, matrix) && parts.claim(part_of(matrix));
}

void store_measured(const qlr::Parts& parts, const PlannedMatrix& matrix, const Measured& measured) {
  parts.store_text(part_of(matrix), to_text(measured));
}

void choose_ways(const CompressSettings& settings, const qlr::Parts& parts, std::vector<PlannedMatrix>& matrices,
                 const std::function<void()>& measure) {
  const Method method = find_method(settings.method);
  if (settings.uniform || has_one_way(method)) {
    for (PlannedMatrix& matrix : matrices)
      matrix.way = widest_way(method, matrix_settings(settings), settings.bits, matrix.rows, matrix.cols);
    return;
  }
  bool all_there = true;
  for (const PlannedMatrix& matrix : matrices) all_there = all_there && has_measured(parts, matrix);
  if (!all_there) measure();
  std::vector<Measured> measured;
  for (const PlannedMatrix& matrix : matrices)
    measured.push_back(from_text(parts.wait_for_text(part_of(matrix)), method, settings));
  allocate_ways(settings, matrices, measured);
}

}  // namespace cli
