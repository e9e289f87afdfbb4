#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>
#include <xsimd/xsimd.hpp>

#include "qlr/core/arch.hpp"
#include "qlr/core/assert.hpp"
#include "qlr/core/index.hpp"
#include "qlr/format/grid.hpp"
#include "qlr/format/trellis.hpp"
#include "qlr/rounding/tile_search.hpp"

namespace qlr {
inline namespace QLR_ARCH {

namespace detail {

/// The deviation of the Gaussian that a trellis code fits best, in the units of its values, and the squared error that
/// is left of it, over its variance: measured on 2^17 weights of evenly spaced quantiles in
/// cycles of 256 rows.
struct TrellisFit {
  double deviation;
  double distortion;
};

constexpr TrellisFit trellis_fit(int bits, int weights) {
  constexpr TrellisFit fits[][8] = {{{79, 0.2714207},
                                     {68.8, 0.0700851},
                                     {66, 0.0179721},
                                     {65.8, 0.0046227},
                                     {63.6, 0.0011801},
                                     {61.6, 0.0003111},
                                     {60.1, 0.0000846},
                                     {60.2, 0.0000281}},
                                    {{71, 0.5226442},
                                     {56.2, 0.2669562},
                                     {51.2, 0.1362075},
                                     {48.3, 0.0694216},
                                     {47.2, 0.0354856},
                                     {46, 0.0182388},
                                     {43.9, 0.0094914},
                                     {41.7, 0.0050189}},
                                    {{66, 0.7232132},
                                     {49, 0.5180475},
                                     {42.7, 0.3714911},
                                     {39.4, 0.2673268},
                                     {37.4, 0.1913512},
                                     {35.5, 0.1382749},
                                     {34.1, 0.1009018},
                                     {32.5, 0.0739072}}};
  return fits[weights == 4 ? 2 : weights - 1][bits - 1];
}

/// The Viterbi algorithm on the trellis of a grid, for up to `most_sequences` sequences of one length at a time.
///
/// A state is the window's low 16 - Bits bits. A window is `oldest` (the Bits bits that the next step drops) above a
/// state, so all windows of one state differ in `oldest` alone. Tables lie as the search reads them: 16 neighbouring
/// states together, and for these one `oldest` after the other.
template <class Grid>
class Viterbi {
 public:
  static constexpr int most_sequences = 4;

  /// Costs of a step are (t - v)^T metric (t - v); metric is row-major.
  explicit Viterbi(const float* metric) : metric_(metric), curvature_(new float[std::size_t(TrellisWindow::count)]) {
    const float* const* values = tables().values;
    for (int at = 0; at < TrellisWindow::count; ++at) {
      float sum = 0;
      for (int a = 0; a < weights; ++a)
        for (int b = 0; b < weights; ++b) sum += metric[a * weights + b] * values[a][at] * values[b][at];
      curvature_[std::size_t(at)] = sum;
    }
  }

  /// Chooses the codes of sequences of `rows` rows each, one behind another in target (rows, weights) and codes.
  void search(int sequences, Index rows, const float* target, std::uint32_t* codes, bool keep_ends) {
    switch (sequences) {
      case 4:
        return search<4>(rows, target, codes, keep_ends);
      case 3:
        search<1>(rows, target + 2 * rows * weights, codes + 2 * rows, keep_ends);
        [[fallthrough]];
      case 2:
        return search<2>(rows, target, codes, keep_ends);
      default:
        return search<1>(rows, target, codes, keep_ends);
    }
  }

 private:
  static constexpr int bits = Grid::code_bits;
  static constexpr int weights = Grid::tile_cols;
  static constexpr int state_bits = TrellisWindow::bits - bits;
  static constexpr int states = 1 << state_bits;
  static constexpr int olds = 1 << bits;
  static constexpr int together = 16;
  /// Rows on either side of a sequence's seam that decide the state there.
  static constexpr Index seam_rows = 4 + 2 * Grid::lookback;
  static constexpr float impossible = 1e30f;

  using Batch = xsimd::batch<float>;
  static constexpr int lanes = int(Batch::size);
  static_assert(together % lanes == 0);

  struct Tables {
    const float* values[std::size_t(weights)];
    std::vector<float> memory;
  };

  static const Tables& tables() {
    static const std::unique_ptr<const Tables> made = [] {
      auto made_tables = std::make_unique<Tables>();
      made_tables->memory.resize(std::size_t(weights) * TrellisWindow::count);
      for (int c = 0; c < weights; ++c)
        made_tables->values[c] = made_tables->memory.data() + std::size_t(c) * TrellisWindow::count;
      for (std::uint32_t window = 0; window < TrellisWindow::count; ++window) {
        const std::uint32_t state = window & (states - 1), oldest = window >> state_bits;
        const std::size_t at = (state / together * olds + oldest) * together + state % together;
        const auto values = Grid::values(window);
        for (int c = 0; c < weights; ++c)
          made_tables->memory[std::size_t(c) * TrellisWindow::count + at] = float(values[std::size_t(c)]);
      }
      return made_tables;
    }();
    return *made;
  }

  /// The best costs of paths that end in each state, and which `oldest` each path's last window has.
  template <int Sequences>
  struct Front {
    alignas(64) float cost[std::size_t(Sequences)][std::size_t(states)];
  };

  template <int Sequences>
  void search(Index rows, const float* target, std::uint32_t* codes, bool keep_ends) {
    if (rows <= 1 || rows < Grid::lookback) {
      for (int p = 0; p < Sequences; ++p) search_short(rows, target + p * rows * weights, codes + p * rows, keep_ends);
      return;
    }
    std::uint32_t ends[std::size_t(Sequences)];
    if (keep_ends) {
      for (int p = 0; p < Sequences; ++p) ends[p] = state_before(codes + p * rows, rows);
    } else {
      choose_ends<Sequences>(rows, target, ends);
    }
    auto front = std::make_unique<Front<Sequences>>();
    for (int p = 0; p < Sequences; ++p) {
      std::fill_n(front->cost[p], states, impossible);
      front->cost[p][ends[p]] = 0;
    }
    std::vector<std::uint8_t> dropped(std::size_t(Sequences * rows * states));
    advance<Sequences>(*front, rows, target, rows, dropped.data());
    for (int p = 0; p < Sequences; ++p) trace_back(rows, dropped.data() + p * rows * states, ends[p], codes + p * rows);
  }

  /// The state at the seam: what the best free path from some rows above it to some rows below it goes through.
  template <int Sequences>
  void choose_ends(Index rows, const float* target, std::uint32_t* ends) {
    const Index length = 2 * seam_rows;
    std::vector<float> around(std::size_t(Sequences * length * weights));
    for (int p = 0; p < Sequences; ++p)
      for (Index i = 0; i < length; ++i) {
        const Index row = ((i - seam_rows) % rows + rows) % rows;
        std::copy_n(target + (p * rows + row) * weights, weights, around.data() + (p * length + i) * weights);
      }
    auto front = std::make_unique<Front<Sequences>>();
    for (int p = 0; p < Sequences; ++p) std::fill_n(front->cost[p], states, 0.0f);
    std::vector<std::uint8_t> dropped(std::size_t(Sequences * length * states));
    advance<Sequences>(*front, length, around.data(), length, dropped.data());
    std::vector<std::uint32_t> path(static_cast<std::size_t>(length));
    for (int p = 0; p < Sequences; ++p) {
      const float* cost = front->cost[p];
      const auto last = std::uint32_t(std::min_element(cost, cost + states) - cost);
      ends[p] = trace_back(length, dropped.data() + p * length * states, last, path.data(), seam_rows);
    }
  }

  /// Writes the codes of the path that ends in `state`. @return the state before row `stop`
  static std::uint32_t trace_back(Index rows, const std::uint8_t* dropped, std::uint32_t state, std::uint32_t* codes,
                                  Index stop = 0) {
    for (Index i = rows; i-- > stop;) {
      codes[i] = state & (olds - 1);
      state = (std::uint32_t(dropped[i * states + Index(state)]) << state_bits | state) >> bits;
    }
    return state;
  }

  static std::uint32_t state_before(const std::uint32_t* codes, Index rows) {
    std::uint32_t state = 0;
    for (Index k = Grid::lookback; k > 0; --k) state = state << bits | codes[rows - k];
    return state & (states - 1);
  }

  template <int Sequences>
  void advance(Front<Sequences>& front, Index rows, const float* target, Index stride, std::uint8_t* dropped) {
    auto next = std::make_unique<Front<Sequences>>();
    Front<Sequences>* now = &front;
    Front<Sequences>* then = next.get();
    for (Index i = 0; i < rows; ++i) {
      float slope[std::size_t(Sequences)][std::size_t(weights)];
      for (int p = 0; p < Sequences; ++p)
        for (int a = 0; a < weights; ++a) {
          slope[p][a] = 0;
          for (int b = 0; b < weights; ++b)
            slope[p][a] -= 2 * metric_[a * weights + b] * target[(p * stride + i) * weights + b];
        }
      step<Sequences>(*now, *then, slope, dropped + i * states, rows * states);
      std::swap(now, then);
    }
    if (now != &front) front = *now;
  }

  template <int Sequences>
  void step(const Front<Sequences>& now, Front<Sequences>& then, const float (*slope)[std::size_t(weights)],
            std::uint8_t* dropped, Index dropped_stride) {
    Batch least[std::size_t(Sequences)];
    std::fill_n(least, Sequences, Batch(std::numeric_limits<float>::max()));
    Batch slopes[std::size_t(Sequences)][std::size_t(weights)];
    for (int p = 0; p < Sequences; ++p)
      for (int c = 0; c < weights; ++c) slopes[p][c] = Batch(slope[p][c]);
    const Tables& table = tables();
    for (int x = 0; x < states; x += lanes) {
      const std::size_t first = std::size_t(x / together * olds * together + x % together);
      Batch best[std::size_t(Sequences)];
      Batch best_oldest[std::size_t(Sequences)];
      std::fill_n(best, Sequences, Batch(std::numeric_limits<float>::max()));
      std::fill_n(best_oldest, Sequences, Batch(0.0f));
      for (int oldest = 0; oldest < olds; ++oldest) {
        const std::size_t at = first + std::size_t(oldest * together);
        const Batch curvature = Batch::load_unaligned(curvature_.get() + at);
        Batch values[std::size_t(weights)];
        for (int c = 0; c < weights; ++c) values[c] = Batch::load_unaligned(table.values[c] + at);
        const Batch oldest_lanes(static_cast<float>(oldest));
        for (int p = 0; p < Sequences; ++p) {
          Batch cost = previous(now.cost[p], oldest, x) + curvature;
          for (int c = 0; c < weights; ++c) cost = xsimd::fma(values[c], slopes[p][c], cost);
          best_oldest[p] = xsimd::select(cost < best[p], oldest_lanes, best_oldest[p]);
          best[p] = xsimd::min(best[p], cost);
        }
      }
      for (int p = 0; p < Sequences; ++p) {
        best[p].store_unaligned(then.cost[p] + x);
        least[p] = xsimd::min(least[p], best[p]);
        alignas(64) float which[std::size_t(lanes)];
        best_oldest[p].store_aligned(which);
        for (int lane = 0; lane < lanes; ++lane) dropped[p * dropped_stride + x + lane] = std::uint8_t(which[lane]);
      }
    }
    for (int p = 0; p < Sequences; ++p) {
      alignas(64) float of_lane[std::size_t(lanes)];
      least[p].store_aligned(of_lane);
      const Batch floor(*std::min_element(of_lane, of_lane + lanes));
      for (int x = 0; x < states; x += lanes)
        (Batch::load_unaligned(then.cost[p] + x) - floor).store_unaligned(then.cost[p] + x);
    }
  }

  /// Costs of the states before the windows of `oldest` above the states from x on.
  static Batch previous(const float* cost, int oldest, int x) {
    const float* from = cost + ((oldest << state_bits | x) >> bits);
    if constexpr (olds >= lanes) {
      return Batch(*from);
    } else {
      alignas(64) float of_lane[std::size_t(lanes)];
      for (int lane = 0; lane < lanes; ++lane) of_lane[lane] = from[lane >> bits];
      return Batch::load_aligned(of_lane);
    }
  }

  /// A single row, or fewer rows than a window looks back: all codes there can be, at most 2^15.
  void search_short(Index rows, const float* target, std::uint32_t* codes, bool keep) const {
    float least = keep ? total_cost(rows, target, codes) : std::numeric_limits<float>::infinity();
    std::vector<std::uint32_t> candidate(static_cast<std::size_t>(rows));
    for (std::uint32_t all = 0; all >> (bits * rows) == 0; ++all) {
      for (Index i = 0; i < rows; ++i) candidate[std::size_t(i)] = all >> (bits * i) & (olds - 1);
      const float cost = total_cost(rows, target, candidate.data());
      if (!(cost < least)) continue;
      least = cost;
      std::copy(candidate.begin(), candidate.end(), codes);
    }
  }

  float total_cost(Index rows, const float* target, const std::uint32_t* codes) const {
    float sum = 0;
    for (Index i = 0; i < rows; ++i) {
      std::uint32_t window[Grid::lookback + 1];
      for (Index k = 0; k <= Grid::lookback; ++k) window[k] = codes[((i - k) % rows + rows) % rows];
      float error[std::size_t(weights)];
      Grid::decode(window, error);
      for (int c = 0; c < weights; ++c) error[c] -= target[i * weights + c];
      for (int a = 0; a < weights; ++a)
        for (int b = 0; b < weights; ++b) sum += metric_[a * weights + b] * error[a] * error[b];
    }
    return sum;
  }

  const float* metric_;
  std::unique_ptr<float[]> curvature_;
};

}  // namespace detail

/// The best path through the trellis: the Viterbi algorithm over each cycle of rows, whose ends meet (tail-biting): the
/// state at the seam is that of the best free path over the rows around it, and the best cycle through it is taken.
/// Exact for a given state at the seam, under any metric. Cost: 2^16 (tile_cols + 3) operations a row.
template <int Bits, int Weights>
struct TileSearch<TrellisStep<Bits, Weights>> {
  using Grid = TrellisStep<Bits, Weights>;

  static constexpr double scale() noexcept { return 1 / detail::trellis_fit(Bits, Weights).deviation; }
  static double distortion() { return detail::trellis_fit(Bits, Weights).distortion; }

  static void search(Index rows, const float* target, const float* metric, std::uint32_t* codes, bool keep_ends) {
    using Viterbi = detail::Viterbi<Grid>;
    Viterbi viterbi(metric);
    const Index length = cycle_rows(rows);
    for (Index i = 0; i < rows;) {
      const Index rest = rows - i;
      const Index whole = std::min<Index>(rest / length, Viterbi::most_sequences);
      const Index step = whole > 0 ? whole * length : rest;
      viterbi.search(std::max(1, int(whole)), whole > 0 ? length : rest, target + i * Weights, codes + i, keep_ends);
      i += step;
    }
  }
};

}  // namespace QLR_ARCH
}  // namespace qlr
