// Including everything instantiates no product and none of these decompositions: red when a function that is no
// template comes to call one, since a program then pays for it whether it calls that function or not.
#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <qlr/qlr.hpp>

template <>
void qlr::detail::add_strided_product(Strided<double>, double, Strided<const double>, Strided<const double>) = delete;

template <>
template <>
Eigen::LLT<qlr::Matrix>& Eigen::LLT<qlr::Matrix>::compute(const Eigen::EigenBase<qlr::Matrix>&) = delete;

template <>
template <>
Eigen::SelfAdjointEigenSolver<qlr::Matrix>& Eigen::SelfAdjointEigenSolver<qlr::Matrix>::compute(
    const Eigen::EigenBase<qlr::Matrix>&, int) = delete;
