// Small words about grids (kernels.hpp) that the schedules share.
#pragma once

#include "kernels/kernels.hpp"

namespace chainrule::model {

// The same matrix, to be read only.
template <class T> Grid<const T> constant(const Grid<T>& grid) { return {grid.data, grid.row, grid.vec}; }

// Vectors, or panels, that hold so many columns.
template <class T> Index panels_of(Index columns) { return (columns + lanes<T> - 1) / lanes<T>; }

}  // namespace chainrule::model
