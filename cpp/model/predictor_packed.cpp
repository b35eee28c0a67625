#include "model/predictor.hpp"

#include <algorithm>
#include <atomic>

#include "model/blocks.hpp"
#include "model/grids.hpp"
#include "runtime/floating_point.hpp"
#include "runtime/team.hpp"

// Many rows: weights copied into panels, then blocks of rows through all steps.

namespace chainrule::model {
namespace {

using runtime::FloatingPointState;
using runtime::Range;
using runtime::Subnormals;
using runtime::Worker;

// Of a block: the work of so many rows outweighs the walk over weights that stay in no cache (guess).
constexpr Index least_rows = 96;
// Copying takes about a nanosecond a weight, as in engine_panels.
constexpr double flops_a_byte = 25;
// Weights of this size leave L2 between two blocks, as in engine_panels.
constexpr Index streamed_bytes = 768 * 1024;

}  // namespace

// --- the copies -----------------------------------------------------------------------------------------------------

template <class T> PackedNet<T>::PackedNet(const Net<T>& net) : flops_(net.flops()) {
    front_ = net.front;
    keep_front(front_, front_arrays_);
    for (const ForwardStep<T>& step : net.steps) {
        if (step.map == Map::product) last_product_ = steps_.size();
        steps_.push_back({step});
        panels_ = std::max({panels_, panels_of<T>(step.n_inputs), panels_of<T>(step.n_outputs)});
    }
    for (Step& step : steps_) {
        if (step.map == Map::factors || step.map == Map::shares) arena_.plan(&step.packed, whole_vectors<T>(step.n_outputs));
        if (step.map != Map::product) continue;
        step.panel = (step.n_inputs + 1) * lanes<T>;
        const Index elements = panels_of<T>(step.n_outputs) * step.panel;
        step.streams = elements * static_cast<Index>(sizeof(T)) >= streamed_bytes;
        arena_.plan(&step.packed, elements);
    }
    arena_.allocate();
    runtime::run_team(runtime::threads_for_call(flops_a_byte * static_cast<double>(arena_.bytes())), [&](Worker worker) {
        for (const Step& step : steps_) pack(step, worker);
    });
    for (Step& step : steps_) step.weights = step.biases = nullptr;  // the user's, who may change them
    const Blocks<T> blocks;
    rows_each_ = std::max(std::min(blocks.rows, blocks.quarter_l2 / (2 * panels_ * line_bytes)), least_rows);
    panel_stride_ = lines_apart(rows_each_) * lanes<T>;
}

// Some columns of them.
template <class T> void PackedNet<T>::pack(const Step& step, Worker worker) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Index d = step.n_inputs, m = step.n_outputs;
    const Range mine = runtime::share(m, lanes<T>, worker);
    const Index count = mine.last - mine.first;
    if (count == 0 || step.map == Map::none) return;
    if (step.map != Map::product) return kernel.gather({1, count, step.weights + mine.first, number_of<T>, m, nullptr, 0, {step.packed + mine.first, 0, lanes<T>}});
    T* const panels = step.packed + mine.first / lanes<T> * step.panel;
    if (step.biases) kernel.gather({1, count, step.biases + mine.first, number_of<T>, m, nullptr, 0, {panels, lanes<T>, step.panel}});
    else
        for (Index p = 0; p < panels_of<T>(count); ++p) std::fill_n(panels + p * step.panel, lanes<T>, T(0));
    kernel.gather({d, count, step.weights + mine.first, number_of<T>, m, nullptr, 0, {panels + lanes<T>, lanes<T>, step.panel}});
}

// --- a block of rows through all steps ----------------------------------------------------------------------------------

template <class T> void PackedNet<T>::product(const Step& step, Index rows, const Grid<const T>& from, const Grid<T>& sums, const Grid<T>& output, bool padded) const {
    const Blocks<T> blocks;
    for (Index first = 0; first < step.n_inputs; first += blocks.inner) {
        const Index count = std::min(step.n_inputs - first, blocks.inner);
        const bool last = first + count == step.n_inputs;
        const Grid<const T> start = first > 0 ? constant(sums) : Grid<const T>{step.packed, 0, step.panel};
        Product<T> job = {rows, count, step.n_outputs, offset(from, 0, first / lanes<T>), {step.packed + (first + 1) * lanes<T>, lanes<T>, step.panel},
                          start, last ? output : sums, padded || !last, step.streams};
        if (last) set_activation(job, step);
        runtime::kernels<T>().product(job);
    }
}

// What follows a product within its step, and steps without one; in place.
template <class T> void PackedNet<T>::finish_panels(const Step& step, Index rows, const Grid<T>& values, T* scratch) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    if (step.map == Map::factors) kernel.scale_columns(rows, step.n_outputs, constant(values), step.packed, values, false);
    if (step.by_rows()) kernel.activations[step.activation].forward_rows(rows, step.n_outputs, constant(values), values, scratch, false, true);
    if (!step.by_elements()) return;
    for (Index p = 0; p < panels_of<T>(step.n_outputs); ++p) {
        T* const panel = offset(values, 0, p).data;
        kernel.activations[step.activation].forward(rows * lanes<T>, step.parameters, panel, panel);
    }
}
template <class T> void PackedNet<T>::finish_rows(const Step& step, Index rows, T* values, T* scratch) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Index m = step.n_outputs;
    if (step.map == Map::shares) {
        for (Index r = 0; r < rows; ++r) {
            ParametricJob<T> job = {};
            job.rows = 1;
            job.columns = m;
            job.inputs = job.output = values + r * m;
            job.activated = scratch;
            job.shares = step.packed;
            kernel.activations[step.activation].forward(m, step.parameters, job.inputs, scratch);
            kernel.parametric_forward(job);
        }
        return;
    }
    if (step.map == Map::factors)
        for (Index r = 0; r < rows; ++r) kernel.multiply(m, values + r * m, step.packed, values + r * m);
    if (step.by_rows()) kernel.activations[step.activation].forward_rows(rows, m, constant(rows_of(values, m)), rows_of(values, m), scratch, false, false);
    if (step.by_elements()) kernel.activations[step.activation].forward(rows * m, step.parameters, values, values);
}

template <class T> void PackedNet<T>::share_panels(const Step& step, Index rows, const Grid<T>& from, const Grid<T>& to) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    for (Index p = 0; p < panels_of<T>(step.n_outputs); ++p) {
        ParametricJob<T> job = {};
        job.rows = rows;
        job.columns = job.row = lanes<T>;
        job.inputs = offset(from, 0, p).data;
        job.activated = job.output = offset(to, 0, p).data;
        job.shares = step.packed + p * lanes<T>;
        kernel.activations[step.activation].forward(rows * lanes<T>, step.parameters, job.inputs, job.output);
        kernel.parametric_forward(job);
    }
}

// A block of the user's rows, through the steps in front, into panels.
template <class T> bool PackedNet<T>::gather(const Rows& rows, Index first, Index count, const Grid<T>& values, T* rooms) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const GatherJob<T> job = {count, n_inputs(), rows.data, rows.numbers, rows.apart, nullptr, first, values};
    if (front_.empty()) {
        kernel.gather(job);
        return true;
    }
    const Index width = front_width(front_), room = count * width;
    GatherJob<T> converted = job;
    converted.output = rows_of(rooms, width);
    kernel.gather(converted);
    Grid<const T> found = constant(converted.output);
    if (!front_rows(front_, count, found, rooms + room, rooms, rooms + 2 * room)) return false;
    kernel.gather({count, front_.back().n_outputs(), found.data, number_of<T>, found.row, nullptr, 0, values});
    return true;
}

// Scratch: rooms of the steps in front, two blocks of values in panels, then what softmax and losses need.
template <class T> bool PackedNet<T>::forward(const Rows& rows, Index first, Index count, T* output, T* scratch) const {
    T* const values = scratch + front_elements();
    Grid<T> from = {values, lanes<T>, panel_stride_}, to = {values + panel_elements(), lanes<T>, panel_stride_};
    T* const rest = values + 2 * panel_elements();
    if (!gather(rows, first, count, from, scratch)) return false;
    for (std::size_t s = 0; s < steps_.size(); ++s) {
        const Step& step = steps_[s];
        if (s < last_product_) {
            if (step.map == Map::product) {
                product(step, count, constant(from), to, to, true);
                std::swap(from, to);
            } else if (step.map == Map::shares) {
                share_panels(step, count, from, to);
                std::swap(from, to);
                continue;
            }
            finish_panels(step, count, from, rest);
        } else {
            if (s == last_product_) product(step, count, constant(from), to, rows_of(output, step.n_outputs), false);
            finish_rows(step, count, output, rest);
        }
    }
    return true;
}

// --- blocks and threads -------------------------------------------------------------------------------------------------

// body(first, count) for blocks of rows of about the same size, until one is false.
template <class T> template <class Body> bool PackedNet<T>::for_blocks(Index rows, const Body& body) const {
    std::atomic<bool> fine{true};
    runtime::run_call(static_cast<double>(rows) * flops_, [&](Worker worker) {
        const FloatingPointState state(Subnormals::keep);
        const Range mine = runtime::share(rows, 1, worker);
        Index first = mine.first, left = mine.last - mine.first;
        for (Index blocks = (left + rows_each_ - 1) / rows_each_; blocks > 0; --blocks) {
            const Index count = (left + blocks - 1) / blocks;
            if (!body(first, count)) return fine.store(false, std::memory_order_relaxed);
            first += count;
            left -= count;
        }
    });
    return fine.load(std::memory_order_relaxed);
}

template <class T> bool PackedNet<T>::predict(const Rows& rows, T* output) const {
    return for_blocks(rows.count, [&](Index first, Index count) {
        T* const scratch = runtime::scratch<T>(front_elements() + 2 * panel_elements() + panels_ * lanes<T> * lanes<T>);
        return forward(rows, first, count, output + first * n_outputs(), scratch);
    });
}

template <class T> bool PackedNet<T>::evaluate(const Rows& rows, const Measures<T>& measures) const {
    const Index outputs = rows_each_ * whole_vectors<T>(n_outputs()), targets = rows_each_ * whole_vectors<T>(measures.target_columns);
    return for_blocks(rows.count, [&](Index first, Index count) {
        T* const output = runtime::scratch<T>(outputs + targets + front_elements() + 2 * panel_elements() + 3 * panels_ * lanes<T> * lanes<T>);
        if (!forward(rows, first, count, output, output + outputs + targets)) return false;
        measure(measures, first, count, output, output + outputs);
        return true;
    });
}

// Scratch: the targets of a block, then what the loss needs.
template <class T> void PackedNet<T>::measure(const Measures<T>& measures, Index first, Index rows, T* output, T* scratch) const {
    const Kernels<T>& kernel = runtime::kernels<T>();
    const Index width = whole_vectors<T>(measures.target_columns);
    LossJob<T> job = {};
    job.metric = measures.metric;
    job.rows = rows;
    job.cols = n_outputs();
    job.output = rows_of(output, n_outputs());
    job.activated = true;
    job.target_cols = measures.target_columns;
    if (measures.labels) job.labels = measures.labels + first;
    else {
        const Grid<T> targets = rows_of(scratch, width);
        kernel.gather({rows, measures.target_columns, measures.targets, measures.target_numbers, measures.target_columns, nullptr, first, targets});
        job.targets = constant(targets);
    }
    job.sample_losses = measures.sample_losses + first;
    if (measures.metric != Metric::none) job.hits = measures.hits + first;
    job.parameters = measures.parameters;
    job.precision = measures.precision;
    job.scratch = scratch + rows_each_ * width;
    kernel.losses[measures.loss](job);
}

template class PackedNet<float>;
template class PackedNet<double>;

}  // namespace chainrule::model
