#include "model/front_steps.hpp"

#include <algorithm>

#include "model/grids.hpp"

namespace chainrule::model {

template <class T> double FrontStep<T>::flops() const {
    if (!is_periodic()) return static_cast<double>(embedding.n_outputs());
    PeriodicShape one = periodic;
    one.samples = 1;
    return one.flops();
}

template <class T> Index front_width(const FrontSteps<T>& steps) {
    Index width = 0;
    for (const FrontStep<T>& step : steps) width = std::max({width, step.n_inputs(), step.n_outputs()});
    return whole_vectors<T>(width);
}

template <class T> Index front_scratch(const FrontSteps<T>& steps) {
    Index elements = 0;
    for (const FrontStep<T>& step : steps)
        if (step.is_periodic()) elements = std::max(elements, periodic_scratch<T>(step.periodic.n_frequencies, step.periodic.n_mixed));
    return elements;
}

namespace {

// Calls body(array, elements) for each array of a step.
template <class T, class Body> void for_each_array(FrontStep<T>& step, const Body& body) {
    const Index waves = step.periodic.n_periodic * step.periodic.n_frequencies;
    if (!step.is_periodic()) return body(step.weights, step.embedding.n_levels() * step.embedding.width);
    body(step.phases, waves);
    body(step.biases, step.periodic.n_periodic * step.periodic.n_mixed);
    body(step.weights, waves * step.periodic.n_mixed);
    body(step.frequencies, waves);
}

template <class T> bool one_step(const FrontStep<T>& step, Index rows, const Grid<const T>& from, T* to, T* scratch) {
    const Index width = step.n_outputs();
    if (step.is_periodic()) {
        periodic_rows<T>(step.periodic, {rows, from.data, from.row, step.frequencies, step.phases, step.weights, step.biases, to, width, scratch});
        return true;
    }
    if (first_without_code(step.embedding, rows, from.data, from.row) < rows * step.embedding.n_codes()) return false;
    embed_rows<T>(step.embedding, {rows, from.data, from.row, step.weights, to, width});
    return true;
}

}  // namespace

template <class T> void keep_front(FrontSteps<T>& steps, std::vector<T>& arrays) {
    Index count = 0;
    for (FrontStep<T>& step : steps) for_each_array(step, [&](const T*&, Index elements) { count += elements; });
    arrays.resize(static_cast<std::size_t>(count));
    T* place = arrays.data();
    for (FrontStep<T>& step : steps)
        for_each_array(step, [&](const T*& array, Index elements) {
            T* const copy = place;
            place = std::copy_n(array, elements, place);
            array = copy;
        });
}

template <class T> bool front_rows(const FrontSteps<T>& steps, Index rows, Grid<const T>& values, T* room, T* other_room, T* scratch) {
    for (const FrontStep<T>& step : steps) {
        if (!one_step(step, rows, values, room, scratch)) return false;
        values = {room, step.n_outputs(), lanes<T>};
        std::swap(room, other_room);
    }
    return true;
}

#define CHAINRULE_INSTANTIATE(T)                              \
    template struct FrontStep<T>;                             \
    template Index front_width(const FrontSteps<T>&);         \
    template Index front_scratch(const FrontSteps<T>&);       \
    template void keep_front(FrontSteps<T>&, std::vector<T>&); \
    template bool front_rows(const FrontSteps<T>&, Index, Grid<const T>&, T*, T*, T*);
CHAINRULE_INSTANTIATE(float)
CHAINRULE_INSTANTIATE(double)

}  // namespace chainrule::model
