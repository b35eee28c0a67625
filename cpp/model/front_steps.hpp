// Steps in front of a net of tables, on rows: periodic features of columns, rows of tables in place of codes.
#pragma once

#include <vector>

#include "kernels/kernels.hpp"
#include "model/embedding.hpp"
#include "model/periodic.hpp"

namespace chainrule::model {

// Periodic features where there are frequencies, else an embedding; `samples` of the shapes are not used.
template <class T> struct FrontStep {
    PeriodicShape periodic = {};
    EmbeddingShape embedding = {};
    const T *frequencies = nullptr, *phases = nullptr, *biases = nullptr;
    const T* weights = nullptr;  // or tables

    bool is_periodic() const { return frequencies != nullptr; }
    Index n_inputs() const { return is_periodic() ? periodic.n_inputs() : embedding.n_inputs(); }
    Index n_outputs() const { return is_periodic() ? periodic.n_outputs() : embedding.n_outputs(); }
    // Operations that one row takes.
    double flops() const;
};
template <class T> using FrontSteps = std::vector<FrontStep<T>>;

// Columns of the widest values on the way, in whole vectors; 0 without steps.
template <class T> Index front_width(const FrontSteps<T>& steps);
// Elements that front_rows needs beside its two rooms.
template <class T> Index front_scratch(const FrontSteps<T>& steps);

// Copies the arrays of the steps, which point to the copies from now on.
template <class T> void keep_front(FrontSteps<T>& steps, std::vector<T>& arrays);

// Rows through all steps, of which there is at least one, by the calling thread. Results go to the two rooms in turn, of
// rows * front_width elements each, side by side: `values` and its row are where the last ones are. False where a value is no
// code of its table.
template <class T> bool front_rows(const FrontSteps<T>& steps, Index rows, Grid<const T>& values, T* room, T* other_room, T* scratch);

}  // namespace chainrule::model
