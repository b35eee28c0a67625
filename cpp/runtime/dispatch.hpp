// Which build of the kernels runs: the best one this CPU supports, or the one CHAINRULE_TARGET names.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.hpp"

namespace chainrule::runtime {

// Chosen at first use. Throws std::runtime_error where CHAINRULE_TARGET names no usable target.
const Target& target();

// Names of the targets that were built and that this CPU supports, the plainest first.
std::vector<std::string> available_targets();

template <class T> const Kernels<T>& kernels();
template <> inline const Kernels<float>& kernels<float>() { return target().f32; }
template <> inline const Kernels<double>& kernels<double>() { return target().f64; }

}  // namespace chainrule::runtime
