#pragma once

#include "qlr/core/arch.hpp"
#include "qlr/core/index.hpp"

namespace qlr {
inline namespace QLR_ARCH {

/// A row-major matrix in somebody else's memory: element (i,j) is data[i * stride + j].
template <class T>
struct MatrixView {
  T* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index stride = 0;

  MatrixView() = default;
  MatrixView(T* data_, Index rows_, Index cols_) : MatrixView(data_, rows_, cols_, cols_) {}
  MatrixView(T* data_, Index rows_, Index cols_, Index stride_)
      : data(data_), rows(rows_), cols(cols_), stride(stride_) {}

  T& operator()(Index i, Index j) const noexcept { return data[i * stride + j]; }
  T* row(Index i) const noexcept { return data + i * stride; }
};

}  // namespace QLR_ARCH
}  // namespace qlr
