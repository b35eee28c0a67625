// The columns that a layer passes on as they are: the same columns of two row-major matrices.
#pragma once

#include <algorithm>

#include "kernels/kernels.hpp"
#include "runtime/shares.hpp"

namespace chainrule::model {

template <class T> void pass_columns(runtime::Range rows, Index columns, const T* from, Index from_row, T* to, Index to_row) {
    for (Index r = rows.first; r < rows.last; ++r) std::copy_n(from + r * from_row, columns, to + r * to_row);
}

}  // namespace chainrule::model
