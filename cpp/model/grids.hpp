// Small words about grids (kernels.hpp) that the schedules share.
#pragma once

#include <type_traits>

#include "kernels/kernels.hpp"

namespace chainrule::model {

// The same matrix, to be read only.
template <class T> Grid<const T> constant(const Grid<T>& grid) { return {grid.data, grid.row, grid.vec}; }

// A row-major matrix.
template <class T> Grid<T> rows_of(T* data, Index columns) { return {data, columns, lanes<std::remove_const_t<T>>}; }

// What stands from a row and a vector (or panel) of columns on.
template <class T> Grid<T> offset(const Grid<T>& grid, Index row, Index vector) {
    return {grid.data + row * grid.row + vector * grid.vec, grid.row, grid.vec};
}

// Vectors, or panels, that hold so many columns.
template <class T> Index panels_of(Index columns) { return (columns + lanes<T> - 1) / lanes<T>; }
template <class T> Index whole_vectors(Index columns) { return panels_of<T>(columns) * lanes<T>; }  // in columns

// Lines from one panel of `rows` rows to the next. A product's tile reads some rows of many panels, which must not all fall on the
// same few of L1's sets, as they would a whole number of ways apart or nearly so (chosen on `wide`).
inline Index lines_apart(Index rows) {
    constexpr Index sets = 64;  // of L1, whether 32 KB in 8 ways or 48 KB in 12
    constexpr Index least = 17;  // from a multiple of them
    Index lines = rows | 1;
    while (lines > sets / 2 && (lines + least - 1) % sets < 2 * least - 1) lines += 2;
    return lines;
}

}  // namespace chainrule::model
